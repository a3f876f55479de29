"""Files from libraries' servers, fetched politely."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlparse

import pooch
import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, Retry

USER_AGENT = "dgmp (search for scribes' hands in scans; one request at a time)"
PAUSE = 0.3
"""Seconds between two requests."""
TIMEOUT = (10.0, 30.0)
"""Seconds to connect, and without a byte."""
LONGEST = 300.0
"""Seconds of one transfer."""
LARGEST = 1 << 30
"""Bytes of one file."""
ATTEMPTS = 3
BACK_OFF = 1.0
"""Seconds before the third attempt, doubled before each further one."""
LONGEST_RETRY_AFTER = 120.0
"""Seconds that a server may ask to wait."""
REDIRECTS = 10
BUSY = (429, 500, 502, 503, 504)
"""Answers after which another attempt may do better."""
CHUNK = 1 << 16


class SilentError(ValueError):
    """A server does not answer, is busy or breaks off."""


class RefusedError(ValueError):
    """A server answers that it does not give the file."""


class _Patience(Retry):
    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        seconds = super().get_retry_after(response)
        return None if seconds is None else min(seconds, LONGEST_RETRY_AFTER)


class Fetcher:
    """Fetches files one at a time, with pauses between them."""

    def __init__(self) -> None:
        # pooch tells of each file and its checksum.
        pooch.get_logger().setLevel("WARNING")
        retry = _Patience(
            total=ATTEMPTS - 1,
            backoff_factor=BACK_OFF,
            status_forcelist=BUSY,
            raise_on_status=False,
        )
        self._session = requests.Session()
        self._session.headers["User-Agent"] = USER_AGENT
        self._session.max_redirects = REDIRECTS
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))
        self._last = float("-inf")

    def fetch(self, address: str, file: Path, check: Callable[[Path], object]) -> Path:
        """Fetch a file unless it is there; it gets its name only when complete and checked.

        Args:
            address: Where it is on the web.
            file: Where it goes.
            check: Raises a ValueError if what came is not what was wanted.

        Raises:
            SilentError: no answer, or none that is complete, after several attempts.
            RefusedError: the server refuses, or redirects without end.
            ValueError: what came is not what was wanted.
        """

        def download(url: str, output_file: str, _: object) -> None:
            self._download(url, Path(output_file))
            check(Path(output_file))

        pooch.retrieve(address, None, fname=file.name, path=file.parent, downloader=download)
        return file

    def _download(self, address: str, file: Path) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            time.sleep(max(0.0, self._last + PAUSE - time.monotonic()))
            try:
                return self._attempt(address, file)
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                # Headers came, or urllib3 has tried again already.
                if attempt == ATTEMPTS:
                    raise SilentError(f"{_host(address)} breaks off: run again later") from None
                time.sleep(BACK_OFF * 2 ** (attempt - 1))
            finally:
                self._last = time.monotonic()

    def _attempt(self, address: str, file: Path) -> None:
        host = _host(address)
        try:
            answer = self._session.get(address, stream=True, timeout=TIMEOUT)
        except requests.TooManyRedirects:
            raise RefusedError(f"{host} redirects without end") from None
        except (requests.ConnectionError, requests.Timeout):
            raise SilentError(f"{host} does not answer: run again later") from None
        except (requests.RequestException, ValueError):
            raise RefusedError(f"{address} is no address of the web") from None
        with answer:
            if answer.status_code in BUSY:
                raise SilentError(f"{host} is busy ({_status(answer)}): run again later")
            if answer.status_code != 200:
                raise RefusedError(f"{host} does not give it ({_status(answer)})")
            end = time.monotonic() + LONGEST
            size = 0
            with open(file, "wb") as opened:
                for chunk in answer.iter_content(CHUNK):
                    size += opened.write(chunk)
                    if size > LARGEST:
                        raise RefusedError(f"{host} sends more than {LARGEST:,} bytes")
                    if time.monotonic() > end:
                        raise SilentError(f"{host} takes more than {LONGEST:g} s: run again later")


def _host(address: str) -> str:
    try:
        return urlparse(address).hostname or "the address"
    except ValueError:
        return "the address"


def _status(answer: requests.Response) -> str:
    return f"{answer.status_code} {answer.reason}".strip()

"""A downloader for pooch that goes on where an earlier attempt, or an earlier run, broke off."""

from __future__ import annotations

import logging
import os
import shutil
import time
from pathlib import Path

import requests
from tqdm import tqdm

log = logging.getLogger(__name__)

ATTEMPTS = 5
"""In a row without a single new byte."""
PAUSE = 1.0
"""Seconds before the second attempt; doubled before each further one."""
TIMEOUT = (15, 60)
"""Seconds to connect, and without a byte."""
CHUNK = 1 << 16
"""Bytes; the last piece is lost where a transfer breaks off."""
RESERVE = 100 << 20
"""Bytes that a download leaves free on the disk."""


class TransientError(OSError):
    """A failure that another attempt may not meet."""


class Resuming:
    """Downloads to <part>, appending to what is there, and moves it to where pooch wants it.

    Beside <part> lies the validator (ETag or date) of its first bytes, so that bytes of two
    versions of a file never mix.

    Args:
        part: Where unfinished bytes stay.
        size: Of the file in bytes, None if it is not known.
        verified: Whether a known checksum is going to be held against the file.
    """

    def __init__(self, part: Path, *, size: int | None, verified: bool) -> None:
        self.part = part
        self.size = size
        self.verified = verified
        self.validator = part.with_name(f"{part.name}.validator")

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Download `url`.

        Raises:
            ValueError: what the server has cannot be the file, or the disk has no room for it.
            requests.RequestException: the server refuses.
            TransientError: too many attempts in a row brought nothing.
        """
        failures = 0
        while True:
            before = self._have()
            try:
                self._attempt(url)
                break
            except requests.exceptions.SSLError:
                raise
            except (
                requests.ConnectionError,
                requests.Timeout,
                requests.exceptions.ChunkedEncodingError,
                TransientError,
            ) as error:
                failures = 1 if self._have() > before else failures + 1
                if failures >= ATTEMPTS:
                    raise TransientError(f"{failures} attempts in a row failed: {error}") from None
                pause = PAUSE * 2 ** (failures - 1)
                log.info("%s broke off (%s), next attempt in %g s", url, error, pause)
                time.sleep(pause)
        os.replace(self.part, output_file)
        self.validator.unlink(missing_ok=True)

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _start_over(self) -> None:
        self.part.unlink(missing_ok=True)
        self.validator.unlink(missing_ok=True)

    def _attempt(self, url: str) -> None:
        # Sizes and ranges count the file's own bytes only where the server does not compress.
        headers = {"Accept-Encoding": "identity"}
        have = self._have()
        known = self.validator.read_text(encoding="utf-8") if self.validator.is_file() else ""
        if have and (known or self.verified):
            headers["Range"] = f"bytes={have}-"
            if known:
                headers["If-Range"] = known
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == 416:  # nothing follows what is there
                if answer.headers.get("Content-Range") == f"bytes */{have}":
                    return
                self._start_over()
                raise TransientError("the beginning that was there does not fit")
            if answer.status_code == 429 or answer.status_code >= 500:
                raise TransientError(f"{answer.status_code} {answer.reason}")
            answer.raise_for_status()
            if answer.headers.get("Content-Type", "").startswith("text/html"):
                raise ValueError("the server sent a web page in place of the file")
            if answer.status_code != 206:
                self._start_over()
                have = 0
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length else None
            if total is not None and self.size is not None and total != self.size:
                raise ValueError(f"the server has {total} bytes, expected {self.size}")
            check_room(self.part.parent, (total or self.size or have) - have, self.part.stem)
            tag = answer.headers.get("ETag", "W/")
            if tag.startswith("W/"):  # weak tags do not promise equal bytes
                tag = answer.headers.get("Last-Modified", "")
            self.validator.write_text(tag, encoding="utf-8")
            self._receive(answer, have, total)

    def _receive(self, answer: requests.Response, have: int, total: int | None) -> None:
        bar = tqdm(
            total=total,
            initial=have,
            desc=self.part.stem,
            unit="B",
            unit_scale=True,
            unit_divisor=1000,
            disable=None,
        )
        with bar, open(self.part, "ab") as file:
            for chunk in answer.iter_content(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
        if total is not None and self._have() != total:
            raise TransientError(f"{self._have()} of {total} bytes came")


def check_room(folder: Path, needed: int, what: str) -> None:
    """Check that a folder's disk has room.

    Raises:
        ValueError: fewer than `needed` bytes and a reserve are free.
    """
    free = shutil.disk_usage(folder).free
    if needed + RESERVE > free:
        raise ValueError(
            f"{what}: {folder} needs {needed / 1e9:.2f} GB, free are {free / 1e9:.2f} GB "
            f"({RESERVE / 1e9:.1f} GB are left alone): make room, or move data/ to a larger disk "
            "and link it here"
        )

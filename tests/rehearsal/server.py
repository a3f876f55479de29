"""A local site with published files and their Zenodo record; it can break off a transfer."""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from unittest.mock import patch
from urllib.parse import unquote, urlsplit

PIECE = 1 << 14


class Site(ThreadingHTTPServer):
    """Serves the files of a folder at /files/<name>, and what a record tells at /record.

    Attributes:
        break_off: Names of files whose first transfer ends halfway.
        requests: (path, Range header) of each request.
        record: Names of the files in the record.
        ranges: Whether a part of a file can be had.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.break_off: set[str] = set()
        self.requests: list[tuple[str, str | None]] = []
        self.record: list[str] = []
        self.ranges = True

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def url(self, name: str) -> str:
        return f"{self.address}/files/{name}"

    def asked_for(self, name: str) -> list[str | None]:
        """The Range header of each request for a file."""
        return [span for path, span in self.requests if path == f"/files/{name}"]

    def asked_for_files(self) -> list[str]:
        """The path of each request but those for the record."""
        return [path for path, _ in self.requests if path != "/record"]


class Handler(BaseHTTPRequestHandler):
    server: Site
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        site, path = self.server, unquote(urlsplit(self.path).path)
        site.requests.append((path, self.headers["Range"]))
        if path == "/record":
            self._answer(200, json.dumps(self._record()).encode(), "application/json")
            return
        file = site.folder / Path(path).name
        if not path.startswith("/files/") or not file.is_file():
            self._answer(404, b"<html>not here</html>", "text/html")
            return
        data = file.read_bytes()
        tag = f'"{hashlib.md5(data).hexdigest()}"'
        start = 0
        span = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        if span and site.ranges and self.headers["If-Range"] in (None, tag):
            start = int(span[1])
            if start >= len(data):
                self._answer(416, b"", "text/plain", {"Content-Range": f"bytes */{len(data)}"})
                return
        headers = {"ETag": tag}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        kind = "text/html" if file.suffix == ".html" else "application/octet-stream"
        cut = file.name in site.break_off
        site.break_off.discard(file.name)
        self._answer(206 if start else 200, data[start:], kind, headers, cut=cut)

    def _record(self) -> dict[str, object]:
        files = []
        for name in self.server.record:
            data = (self.server.folder / name).read_bytes()
            checksum = f"md5:{hashlib.md5(data).hexdigest()}"
            files.append({"key": name, "size": len(data), "checksum": checksum})
        return {"files": files, "metadata": {"license": {"id": "cc-by-4.0"}}}

    def _answer(
        self,
        status: int,
        body: bytes,
        kind: str,
        headers: dict[str, str] | None = None,
        *,
        cut: bool = False,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.wfile.flush()
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serve(folder: Path) -> Iterator[Site]:
    """The site while the block runs."""
    # A proxy of the environment does not reach this machine.
    direct = patch.dict(os.environ, {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"})
    with direct, Site(folder) as site:
        thread = Thread(target=site.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield site
        finally:
            site.shutdown()
            thread.join()

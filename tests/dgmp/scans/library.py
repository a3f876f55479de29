"""A library on this machine that publishes codices by IIIF, and can misbehave."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

from PIL import Image


@dataclass
class Answer:
    """What the server sends; of several for a path the last is repeated."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    wait: float = 0
    cut: bool = False


@dataclass
class Library:
    root: str = ""
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    at_once: int = 0
    most_at_once: int = 0

    def add(self, path: str, *answers: Answer) -> str:
        self.answers[path] = list(answers)
        return self.root + path

    def add_json(self, path: str, content: Any) -> str:
        return self.add(path, Answer(json.dumps(content).encode()))

    def add_image(self, path: str, width: int = 20, tone: int = 128) -> str:
        return self.add(path, Answer(jpeg(width, tone)))


def jpeg(width: int = 20, tone: int = 128) -> bytes:
    file = BytesIO()
    Image.new("L", (width, width), tone).save(file, "JPEG")
    return file.getvalue()


@contextmanager
def open_library() -> Iterator[Library]:
    shelves = Library()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with lock:
                shelves.asked.append(self.path)
                shelves.times.append(time.monotonic())
                shelves.agents.add(self.headers["User-Agent"])
                shelves.at_once += 1
                shelves.most_at_once = max(shelves.most_at_once, shelves.at_once)
                those = shelves.answers.get(self.path, [Answer(status=404)])
                answer = those.pop(0) if len(those) > 1 else those[0]
            # The client may have left.
            with suppress(OSError):
                self._send(answer)
            with lock:
                shelves.at_once -= 1

        def _send(self, answer: Answer) -> None:
            time.sleep(answer.wait)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[: len(answer.body) // 2] if answer.cut else answer.body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    shelves.root = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield shelves
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""Image decoders that write to the terminal, kept quiet."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

STDERR = 2

_lock = Lock()
_users = 0
_saved: int | None = None


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Discard what anything in this process writes to file descriptor 2 inside the block.

    OpenCV logs there, libpng and libjpeg write there themselves, and none of them names the file.
    Blocks of several threads may overlap: the last that ends restores the descriptor.
    """
    global _users, _saved
    with _lock:
        if not _users:
            _saved = _redirect()
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users and _saved is not None:
                os.dup2(_saved, STDERR)
                os.close(_saved)


def _redirect() -> int | None:
    try:
        saved = os.dup(STDERR)
    except OSError:
        # Closed, as in a daemon.
        return None
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STDERR)
    os.close(nowhere)
    return saved

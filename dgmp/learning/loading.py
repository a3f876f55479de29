"""Images made ahead of their use, so that the device need not wait for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")


def load_ahead(
    load: Callable[[Item], Loaded], items: Iterable[Item], *, threads: int
) -> Iterator[Loaded]:
    """What `load` makes of each item, in order, with at most twice `threads` waiting.

    OpenCV and NumPy let go of Python's lock, so that threads suffice.

    Args:
        load: Draws no random numbers but its item's own, so that the threads do not matter.
        items: Plans of batches.
        threads: How many batches are made at once.

    >>> list(load_ahead(abs, [-3, 2, -1], threads=2))
    [3, 2, 1]
    """
    waiting: deque[Future[Loaded]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="loading")
    try:
        for item in items:
            waiting.append(pool.submit(load, item))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def pinned(images: Tensor, device: torch.device) -> Tensor:
    """The images in memory that a GPU copies from while it computes; as they are for others."""
    return images.pin_memory() if device.type == "cuda" else images

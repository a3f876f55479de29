"""Nearest neighbours in a matrix of similarities, and those that are so in both directions."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from dgmp.metrics.distances import Positions


def require_whole(name: str, value: object, least: int) -> None:
    """Refuse a count that is not a whole number from `least`.

    Raises:
        ValueError: naming the setting.
    """
    if not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} must be a whole number from {least}, got {value!r}")


def nearest_neighbours(similarities: NDArray[np.float32], k: int) -> Positions:
    """The k most similar other pages of each page, (n, k), the most similar first.

    Equally similar pages are ranked by their position.

    Args:
        similarities: (n, n), row i those of page i.
        k: From 1 to n - 1.

    Raises:
        ValueError: on a larger k.
    """
    n = len(similarities)
    if k >= n:
        raise ValueError(
            f"{k} neighbours need at least {k + 1} pages with information, got {n}: ask for fewer "
            "neighbours, or leave out re-ranking"
        )
    found = np.empty((n, k), dtype=np.intp)
    for page in range(n):
        distances = -similarities[page]
        distances[page] = np.inf
        candidates = np.flatnonzero(distances <= np.partition(distances, k - 1)[k - 1])
        order = np.argsort(distances[candidates], kind="stable")
        found[page] = candidates[order[:k]]
    return found


def reciprocal(neighbours: Positions) -> csr_array:
    """Which pages have each other among their neighbours (n, k), as (n, n) of ones; itself too."""
    n, k = neighbours.shape
    ones = np.ones(n * k, dtype=np.float64)
    forward = csr_array((ones, neighbours.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))
    own = csr_array((np.ones(n), np.arange(n), np.arange(n + 1)), shape=(n, n))
    return csr_array(forward * forward.T + own)

"""The nearest pages of a query, for display."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dgmp.metrics.distances import Distance, Floats, Positions, as_points, distance_rows


def nearest(
    descriptors: ArrayLike,
    k: int,
    *,
    queries: ArrayLike | None = None,
    distance: Distance = "sqeuclidean",
) -> tuple[Positions, Floats]:
    """The k nearest other pages of each query, in the order in which they are scored.

    Distances are taken to all pages, in double precision: see
    `dgmp.metrics.distances.distance_rows`. Pages at equal distance are ranked by their position.

    Args:
        descriptors: (n, D), one row a page.
        k: number of pages to find, less than n.
        queries: (q,) positions of the queries; None takes every page.
        distance: squared Euclidean distance, or one minus the cosine.

    Returns:
        (q, k) positions and (q, k) distances.

    Raises:
        ValueError: on a k that is not from 1 to n - 1, queries that are no positions, and
            descriptors as for `dgmp.metrics.evaluate_retrieval`.

    >>> pages, distances = nearest([[0.0], [3.0], [5.0]], 1)
    >>> pages.ravel().tolist(), distances.ravel().tolist()
    ([1, 2, 1], [9.0, 4.0, 4.0])
    """
    points = as_points(descriptors, distance)
    chosen = _positions(queries, len(points), k)
    pages = np.empty((len(chosen), k), dtype=np.intp)
    distances = np.empty((len(chosen), k))
    rows = distance_rows(points, chosen, distance)
    for i, (query, row) in enumerate(zip(chosen, rows, strict=True)):
        row[query] = np.nan  # sorted behind all others, and below no bound
        candidates = np.flatnonzero(row <= np.partition(row, k - 1)[k - 1])
        pages[i] = candidates[np.argsort(row[candidates], kind="stable")[:k]]
        distances[i] = row[pages[i]]
    return pages, distances


def nearest_by_faiss(
    descriptors: ArrayLike,
    k: int,
    *,
    queries: ArrayLike | None = None,
    distance: Distance = "sqeuclidean",
) -> tuple[Positions, NDArray[np.float32]]:
    """As `nearest`, by an exhaustive FAISS index: faster, but in single precision.

    Pages whose distances agree in single precision are ranked in any order.

    Raises:
        ImportError: if FAISS is not installed.
        ValueError: as `nearest`.
    """
    import faiss  # an extra

    points = as_points(descriptors, distance).astype(np.float32)
    chosen = _positions(queries, len(points), k)
    metric = faiss.METRIC_L2 if distance == "sqeuclidean" else faiss.METRIC_INNER_PRODUCT
    index = faiss.IndexFlat(points.shape[1], metric)
    index.add(points)
    found, pages = index.search(points[chosen], k + 1)
    # The query is among its own nearest, unless k + 1 others equal it.
    others = pages != chosen[:, None]
    others[others.all(axis=1), -1] = False
    shape = (len(chosen), k)
    distances = found[others].reshape(shape)
    return pages[others].reshape(shape), 1 - distances if distance == "cosine" else distances


def _positions(queries: ArrayLike | None, pages: int, k: int) -> Positions:
    if not 1 <= k < pages:
        raise ValueError(f"k must be from 1 to {pages - 1}, the number of other pages, got {k}")
    chosen = np.arange(pages) if queries is None else np.asarray(queries)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or not len(chosen):
        raise ValueError(f"queries must be positions (q,), at least one, got {chosen!r}")
    if chosen.min() < 0 or chosen.max() >= pages:
        raise ValueError(
            f"queries must be positions from 0 to {pages - 1}, got {chosen.min()} to {chosen.max()}"
        )
    return chosen.astype(np.intp)

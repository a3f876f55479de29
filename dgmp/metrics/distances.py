"""Distances between the descriptors of pages, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Distance = Literal["sqeuclidean", "cosine"]
Floats = NDArray[np.float64]
Positions = NDArray[np.intp]

_BLOCK_BYTES = 128 * 2**20


def as_points(descriptors: ArrayLike, distance: Distance) -> Floats:
    """Descriptors (n, D) in double precision, of unit length for the cosine.

    Raises:
        ValueError: on another distance or shape, on masked values or none that are real numbers, a
            descriptor that is not finite or too long for its square, or, for the cosine, one of
            length zero.
    """
    if distance not in ("sqeuclidean", "cosine"):
        raise ValueError(f"distance must be 'sqeuclidean' or 'cosine', got {distance!r}")
    if np.ma.is_masked(descriptors):
        raise ValueError("descriptors have masked values: fill them, or leave those pages out")
    numbers = np.asarray(descriptors)
    if numbers.ndim != 2 or numbers.dtype.kind not in "biuf":
        raise ValueError(
            f"descriptors must be real numbers (pages, D), got {numbers.dtype} of shape "
            f"{numbers.shape}"
        )
    # Adding zero makes zeros of either sign equal in their bits too.
    points: Floats = np.add(numbers, 0.0, dtype=np.float64, order="C")
    require_finite(points, "descriptor")
    squares = _squares(points)
    if not np.isfinite(squares).all():
        page = int(np.flatnonzero(~np.isfinite(squares))[0])
        raise ValueError(f"descriptor of page {page} is too long: its square is not finite")
    if distance == "cosine":
        if not squares.all():
            page = int(np.flatnonzero(squares == 0)[0])
            raise ValueError(f"descriptor of page {page} is zero: its cosine is not defined")
        points /= np.sqrt(squares)[:, None]
    return points


def distance_rows(points: Floats, queries: Positions, distance: Distance) -> Iterator[Floats]:
    """Distances of each query to all pages, the query itself among them.

    They are computed in double precision and in blocks of queries, so that memory grows with n,
    not with its square. Pages with equal descriptors are at equal distances from a query, to the
    last bit. As ‖a‖² + ‖b‖² − 2aᵀb squared distances resolve about 1e-16 ‖a‖²: nearer pages are
    not told apart, and a small negative distance can be rounding.

    Args:
        points: (n, D), of `as_points` for the same distance.
        queries: positions of the queries.
        distance: squared Euclidean distance, or one minus the cosine.

    Yields:
        (n,), free to be written to.

    >>> points = as_points([[0.0], [3.0], [5.0]], "sqeuclidean")
    >>> [row.tolist() for row in distance_rows(points, np.array([1]), "sqeuclidean")]
    [[9.0, 0.0, 4.0]]
    """
    # Matrix products may round equal columns differently; equal pages share one column instead.
    first, column = _distinct(points)
    if len(first) < len(points):
        points = points[first]
    squares = _squares(points)
    block = max(1, _BLOCK_BYTES // (8 * len(points)))
    for start in range(0, len(queries), block):
        rows = column[queries[start : start + block]]
        # A product with its own transpose costs half.
        whole = np.array_equal(rows, np.arange(len(points)))
        products = (points if whole else points[rows]) @ points.T
        if distance == "cosine":
            np.subtract(1, products, out=products)
        else:
            products *= -2
            products += squares[rows, None]
            products += squares
        for row in products:
            yield row[column]


def _squares(points: Floats) -> Floats:
    squares: Floats = np.einsum("nd,nd->n", points, points)
    return squares


def _distinct(points: Floats) -> tuple[Positions, Positions]:
    """Positions of the first of equal rows, and for each row the index of its first there."""
    seen: dict[bytes, int] = {}
    # 128 bits: different rows share a digest about as often as a memory fails. Sorting the rows
    # instead takes twenty times as long.
    column = np.array(
        [
            seen.setdefault(blake2b(row, digest_size=16).digest(), len(seen))
            for row in np.ascontiguousarray(points)
        ],
        dtype=np.intp,
    )
    return np.unique(column, return_index=True)[1], column


def require_finite(rows: NDArray[np.generic], name: str) -> None:
    """Say which page's row is not finite.

    Raises:
        ValueError: naming the first such page.
    """
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise ValueError(
            f"{name} of page {bad[0]} is not finite ({len(bad)} of {len(rows)} pages are not)"
        )

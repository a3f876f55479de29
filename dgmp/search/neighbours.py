"""The nearest pages of each page, in another codex or anywhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dgmp.search.findings import Cutoffs, Floats, Hit
from dgmp.search.scoring import Scoring, codex_numbers

Positions = NDArray[np.intp]

BLOCK_BYTES = 32 * 2**20
"""Of the scores of the pages that are compared at once; what is sorted takes several times that."""


def hits_of(
    scores: Floats, cutoffs: Cutoffs, k: int = 10, codices: ArrayLike | None = None
) -> tuple[list[list[Hit]], list[list[Hit]]]:
    """The nearest pages of each page in other codices, and in all of them.

    Args:
        scores: (n, n), symmetric; the diagonal is not read.
        cutoffs: Of the grades.
        k: At most so many for a page; fewer where there are no more.
        codices: (n,), of each page; None: each page is a codex of its own.

    Raises:
        ValueError: scores or codices of another shape.
    """
    numbers = codex_numbers(codices, len(scores))
    if scores.shape != (len(numbers), len(numbers)):
        raise ValueError(f"scores must be (n, n), got {scores.shape}")
    foreign = numbers[:, None] != numbers
    ladder = scores_between_codices(scores, codices)
    places = np.searchsorted(ladder, scores, side="left") / max(len(ladder), 1)
    every = ~np.eye(len(scores), dtype=bool)

    def nearest(allowed: NDArray[np.bool_]) -> list[list[Hit]]:
        found = []
        for row, (values, may) in enumerate(zip(scores, allowed, strict=True)):
            candidates = np.flatnonzero(may)
            order = candidates[np.argsort(-values[candidates], kind="stable")[:k]]
            found.append(
                [
                    Hit(page, score, float(places[row, page]), cutoffs.grade(score))
                    for page, score in zip(order.tolist(), values[order].tolist(), strict=True)
                ]
            )
        return found

    return nearest(foreign), nearest(every)


def scores_between_codices(scores: Floats, codices: ArrayLike | None = None) -> Floats:
    """Sorted scores (p,) of the pairs of pages of different codices; of all pairs, if there is one.

    >>> scores = np.array([[np.nan, 3, 1], [3, np.nan, 2], [1, 2, np.nan]])
    >>> scores_between_codices(scores, ["a", "a", "b"]).tolist()
    [1.0, 2.0]
    >>> scores_between_codices(scores, ["a", "a", "a"]).tolist()
    [1.0, 2.0, 3.0]
    """
    numbers = codex_numbers(codices, len(scores))
    foreign = np.triu(numbers[:, None] != numbers, 1)
    if not foreign.any():
        foreign = np.triu(np.ones_like(foreign), 1)
    found: Floats = np.sort(scores[foreign])
    return found


def nearest_pages(
    scoring: Scoring, k: int = 10, codices: Sequence[str] | None = None
) -> tuple[Positions, Floats]:
    """The k nearest pages of other codices, without a matrix of all scores.

    Exact, in blocks of pages: time grows with the square of their number, memory does not. A page
    of which fewer than k are in other codices has -1 and -inf at the end of its row.

    Args:
        scoring: Of the collection of n pages.
        k: From 1 to n - 1.
        codices: (n,), of each page; None: each page is a codex of its own.

    Returns:
        Rows (n, k) and scores float32 (n, k), the nearest first.

    Raises:
        ValueError: k out of range, codices of another length.
    """
    n, numbers = _asked(scoring, k, codices)
    positions = np.empty((n, k), np.intp)
    values = np.empty((n, k), np.float32)
    step = max(1, BLOCK_BYTES // (4 * n))
    for start in range(0, n, step):
        block = slice(start, start + step)
        found = scoring.between(block)
        found[numbers[block, None] == numbers] = -np.inf
        top = np.argpartition(-found, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(found, top, axis=1), axis=1, kind="stable")
        positions[block] = np.take_along_axis(top, order, axis=1)
        values[block] = np.take_along_axis(found, positions[block], axis=1)
    positions[np.isneginf(values)] = -1
    return positions, values


def nearest_pages_by_faiss(
    scoring: Scoring, k: int = 10, codices: Sequence[str] | None = None
) -> tuple[Positions, Floats]:
    """As `nearest_pages`, by an exhaustive FAISS index in half the time.

    Of the candidates j of a page, :math:`c_{ij} - m_j / 2` ranks as the score does: the product of
    the page's row and a one with the row of j and :math:`-m_j / 2`. Pages whose scores agree up to
    the rounding of single precision are ranked in any order. Where codices are large, as many of
    their pages are found too and left out, which takes longer.

    Raises:
        ValueError: as `nearest_pages`; FAISS, the extra `faiss`, is not installed.
    """
    try:
        import faiss
    except ImportError:
        raise ValueError(
            "FAISS is not installed: pip install '.[faiss]', or take nearest_pages"
        ) from None
    n, numbers = _asked(scoring, k, codices)
    points = np.column_stack([scoring.rows, scoring.medians / -2])
    index = faiss.IndexFlatIP(points.shape[1])
    index.add(points)
    points[:, -1] = 1
    positions = np.empty((n, k), np.intp)
    values = np.empty((n, k), np.float32)
    sizes = np.bincount(numbers)[numbers]
    for size in np.unique(sizes).tolist():
        pages, count = np.flatnonzero(sizes == size), min(k + size, n)
        step = max(1, BLOCK_BYTES // (12 * count))  # a position and a product
        for block in (pages[start : start + step] for start in range(0, len(pages), step)):
            products, near = index.search(points[block], count)
            own = numbers[near] == numbers[block, None]
            first = np.argsort(own, axis=1, kind="stable")[:, :k]
            own, near, products = (
                np.take_along_axis(found, first, axis=1) for found in (own, near, products)
            )
            scores = (products - scoring.medians[block, None] / 2) / np.float32(scoring.spread)
            positions[block] = np.where(own, -1, near)
            values[block] = np.where(own, -np.inf, scores)
    return positions, values


def _asked(scoring: Scoring, k: int, codices: Sequence[str] | None) -> tuple[int, NDArray[np.intp]]:
    """How many pages there are, and the number of the codex of each."""
    n = len(scoring.rows)
    if not 1 <= k < n:
        raise ValueError(f"k must be from 1 to {n - 1}, the number of other pages, got {k}")
    return n, codex_numbers(codices, n)

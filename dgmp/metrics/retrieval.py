"""Scores of leave-one-out retrieval, in percent.

Each page is the query once and all the other pages are its gallery. The query is masked by its
position; it need not rank first, and pages equal to it stay. Pages at equal distance are ranked
by their position.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dgmp.metrics.distances import Distance, Floats, Positions, as_points, distance_rows

DEPTH = 10
"""Ranks that are kept: ICDAR's competitions go as far as soft top-10."""


@dataclass(frozen=True, eq=False)
class RetrievalScores:
    """Scores of a leave-one-out retrieval of n pages.

    A query without a relevant page, the only one of its label, is counted and left out of every
    mean; it stays in the galleries of the others.

    Attributes:
        average_precision: (n,) Eq. 10 of each query over its whole ranking, in [0, 1]; nan
            without a relevant page.
        relevance: (n, depth) whether the page at each of the first ranks is relevant; False
            beyond the gallery.
    """

    average_precision: Floats
    relevance: NDArray[np.bool_]

    @property
    def scored(self) -> NDArray[np.bool_]:
        """(n,) whether the query has a relevant page."""
        return ~np.isnan(self.average_precision)

    @property
    def queries(self) -> int:
        """Number of scored queries."""
        return int(self.scored.sum())

    @property
    def queries_without_relevant(self) -> int:
        """Number of queries left out."""
        return len(self.scored) - self.queries

    @property
    def mean_average_precision(self) -> float:
        """Mean of Eq. 10 over the scored queries, in percent."""
        return 100 * float(self.average_precision[self.scored].mean())

    @property
    def top1_hits(self) -> NDArray[np.bool_]:
        """(n,) whether the nearest other page is relevant."""
        return self.relevance[:, 0]

    @property
    def top1(self) -> float:
        """Scored queries whose nearest other page is relevant, in percent."""
        return self.soft_top(1)

    def soft_top(self, k: int) -> float:
        """Scored queries with a relevant page among the first k, in percent.

        Raises:
            ValueError: if that many ranks were not kept.
        """
        return 100 * float(self._first(k).any(axis=1).mean())

    def hard_top(self, k: int) -> float:
        """Scored queries all of whose first k pages are relevant, in percent.

        A query with fewer than k relevant pages cannot meet this and counts as a miss, as in the
        ICDAR competitions.

        Raises:
            ValueError: if that many ranks were not kept.
        """
        return 100 * float(self._first(k).all(axis=1).mean())

    def precision_at(self, k: int) -> float:
        """Relevant pages among the first k, divided by k; mean of the scored queries, in percent.

        The divisor is k even where fewer pages are relevant: with R of them a query has at most
        R / k.

        Raises:
            ValueError: if that many ranks were not kept.
        """
        return 100 * float(self._first(k).mean(axis=1).mean())

    def _first(self, k: int) -> NDArray[np.bool_]:
        depth = self.relevance.shape[1]
        if not 1 <= k <= depth:
            raise ValueError(
                f"k must be from 1 to {depth}, the number of ranks kept, got {k}: evaluate with "
                "a larger depth"
            )
        return self.relevance[self.scored, :k]


def evaluate_retrieval(
    descriptors: ArrayLike,
    labels: ArrayLike,
    *,
    distance: Distance = "sqeuclidean",
    depth: int = DEPTH,
) -> RetrievalScores:
    """Rank all other pages by distance of descriptors for each page, and score the rankings.

    Distances are taken to all pages, in double precision: see
    `dgmp.metrics.distances.distance_rows`.

    Args:
        descriptors: (n, D), one row a page.
        labels: (n,) the writer of each page.
        distance: squared Euclidean distance, or one minus the cosine.
        depth: ranks to keep, the largest k of top-k and precision@k.

    Raises:
        ValueError: on shapes that do not match, fewer than two pages, a descriptor that is not
            finite (or zero, for the cosine), labels that are missing (None, nan) or of several
            kinds, or of which none occurs twice.

    Two writers with two pages each on a line. Page 0 finds its writer's other page second
    (AP 1/2), page 1 third (1/3), pages 2 and 3 first (1); only the last two are top-1 hits, and
    three have a hit among the first two. Each has one relevant page: no two first are relevant.

    >>> scores = evaluate_retrieval([[0.0], [5.0], [2.0], [3.0]], ["a", "a", "b", "b"])
    >>> scores.average_precision.round(3).tolist()
    [0.333, 0.333, 1.0, 1.0]
    >>> scores.top1, scores.soft_top(2), scores.soft_top(3), scores.hard_top(2)
    (50.0, 50.0, 100.0, 0.0)
    >>> scores.precision_at(2)
    25.0
    """
    points = as_points(descriptors, distance)
    codes = _codes(labels, len(points))
    queries = _with_relevant(codes)
    return _score(distance_rows(points, queries, distance), queries, codes, depth)


def evaluate_ranking(
    distances: ArrayLike, labels: ArrayLike, *, depth: int = DEPTH
) -> RetrievalScores:
    """Score a ready matrix of distances, row q holding those of query q to all pages.

    The diagonal is masked, so its values do not matter (nan is allowed there). The matrix need
    not be symmetric; infinity means "after all others".

    Args:
        distances: (n, n).
        labels: (n,).
        depth: ranks to keep, the largest k of top-k and precision@k.

    Raises:
        ValueError: on a matrix that is not square or holds nan, and as `evaluate_retrieval`.

    >>> scores = evaluate_ranking([[9, 1, 2], [1, 9, 2], [2, 2, 9]], ["a", "b", "a"])
    >>> scores.mean_average_precision, scores.queries, scores.queries_without_relevant
    (75.0, 2, 1)
    """
    matrix = np.asarray(distances, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"distances must be a square (pages, pages), got shape {matrix.shape}")
    codes = _codes(labels, len(matrix))
    missing = np.isnan(matrix)
    np.fill_diagonal(missing, False)
    if missing.any():
        query, page = np.argwhere(missing)[0]
        raise ValueError(f"distance of query {query} to page {page} is not a number")
    queries = _with_relevant(codes)
    return _score((matrix[query].copy() for query in queries), queries, codes, depth)


def _codes(labels: ArrayLike, pages: int) -> Positions:
    names = np.asarray(labels)
    if names.shape != (pages,):
        raise ValueError(f"labels must be ({pages},), one for each page, got shape {names.shape}")
    if pages < 2:
        raise ValueError(f"retrieval needs at least two pages, got {pages}")
    values = names.tolist()
    missing = [page for page, name in enumerate(values) if name is None or name != name]
    if missing:
        raise ValueError(
            f"label of page {missing[0]} is missing, {values[missing[0]]!r} ({len(missing)} of "
            f"{pages} pages have none): name its writer, or leave the page out"
        )
    try:
        codes: Positions = np.unique(names, return_inverse=True)[1].reshape(-1)
    except TypeError:
        kinds = ", ".join(sorted({type(name).__name__ for name in values}))
        raise ValueError(
            f"labels must be of one kind, all text or all numbers, got {kinds}"
        ) from None
    return codes


def _with_relevant(codes: Positions) -> Positions:
    queries = np.flatnonzero(np.bincount(codes)[codes] > 1)
    if not len(queries):
        raise ValueError(
            "no label occurs twice, so that no query has a relevant page: give at least one "
            "writer two pages"
        )
    return queries


def _score(
    rows: Iterator[Floats], queries: Positions, codes: Positions, depth: int
) -> RetrievalScores:
    if depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth}")
    sizes = np.bincount(codes)
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(sizes)[:-1])
    hits = np.arange(1, sizes.max() + 1)
    precision = np.full(len(codes), np.nan)
    first_ranks = np.zeros((len(codes), depth), dtype=np.intp)
    for query, row in zip(queries, rows, strict=True):
        row[query] = np.nan  # neither before nor level with any page
        same = members[codes[query]]
        ranks = _relevant_ranks(row, same[same != query])
        precision[query] = (hits[: len(ranks)] / ranks).sum() / len(ranks)
        first_ranks[query, : len(ranks)] = ranks[:depth]
    relevance = np.zeros((len(codes), depth), dtype=bool)
    query, hit = np.nonzero((first_ranks > 0) & (first_ranks <= depth))
    relevance[query, first_ranks[query, hit] - 1] = True
    return RetrievalScores(precision, relevance)


def _relevant_ranks(row: Floats, relevant: Positions) -> Positions:
    """Ranks from 1, ascending, of the relevant pages. Eq. 10 needs no others.

    Sorting values and looking the relevant ones up is several times faster than sorting
    positions, which a stable argsort would have to do.
    """
    wanted = row[relevant]
    ordered = np.sort(row)
    before = ordered.searchsorted(wanted, side="left")
    after = ordered.searchsorted(wanted, side="right")
    for i in np.flatnonzero(after - before > 1):  # level with others
        before[i] += np.count_nonzero(row[: relevant[i]] == wanted[i])
    before.sort()
    return before + 1

"""Retrieval and classification scores, all in percent, over all pages.

Retrieval is leave-one-out: each page is the query once and all the other pages are its gallery.
The query is masked by its position; it need not rank first, and pages equal to it stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Distance = Literal["sqeuclidean", "cosine"]
Floats = NDArray[np.float64]

_BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class RetrievalScores:
    """Scores of a leave-one-out retrieval of n pages.

    Attributes:
        mean_average_precision: mean of Eq. 10 over the scored queries, in percent.
        top1: scored queries whose nearest other page is relevant, in percent.
        average_precision: (n,) Eq. 10 of each query in [0, 1]; nan without a relevant page.
        top1_hits: (n,) whether the nearest other page is relevant.
        queries: number of scored queries, those with at least one relevant page.
        queries_without_relevant: number of pages left out as queries, being the only one of
            their label; they stay in the galleries.
    """

    mean_average_precision: float
    top1: float
    average_precision: Floats
    top1_hits: NDArray[np.bool_]
    queries: int
    queries_without_relevant: int


def evaluate_retrieval(
    descriptors: ArrayLike, labels: ArrayLike, *, distance: Distance = "sqeuclidean"
) -> RetrievalScores:
    """Rank all other pages by distance of descriptors for each page, and score the rankings.

    Pages at equal distance are ranked by their position. Distances are computed in double
    precision and in blocks of queries, so that memory grows with n, not with its square; pages
    with equal descriptors get equal distances to the last bit.

    Args:
        descriptors: (n, D), one row a page.
        labels: (n,) the writer of each page.
        distance: squared Euclidean distance, or one minus the cosine.

    Raises:
        ValueError: on shapes that do not match, fewer than two pages, a descriptor that is not
            finite (or zero, for the cosine), or labels of which none occurs twice.

    Two writers with two pages each on a line. Page 0 finds its writer's other page second
    (AP 1/2), page 1 third (1/3), pages 2 and 3 first (1); only the last two are top-1 hits.

    >>> scores = evaluate_retrieval([[0.0], [5.0], [2.0], [3.0]], ["a", "a", "b", "b"])
    >>> scores.average_precision.round(3).tolist()
    [0.333, 0.333, 1.0, 1.0]
    >>> scores.top1
    50.0
    """
    points = np.asarray(descriptors, dtype=np.float64)
    if points.ndim != 2:
        raise ValueError(f"descriptors must be (pages, D), got shape {points.shape}")
    codes = _codes(labels, len(points))
    _require_finite(points, "descriptor")
    return _score(_distances(points, distance), codes)


def evaluate_ranking(distances: ArrayLike, labels: ArrayLike) -> RetrievalScores:
    """Score a ready matrix of distances, row q holding those of query q to all pages.

    The diagonal is masked, so its values do not matter (nan is allowed there). The matrix need
    not be symmetric; infinity means "after all others".

    Args:
        distances: (n, n).
        labels: (n,).

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
    missing = np.argwhere(np.isnan(matrix) & ~np.eye(len(matrix), dtype=bool))
    if len(missing):
        query, page = missing[0]
        raise ValueError(f"distance of query {query} to page {page} is not a number")
    return _score(iter(matrix), codes)


def _score(rows: Iterator[Floats], codes: NDArray[np.intp]) -> RetrievalScores:
    precision = np.full(len(codes), np.nan)
    hits = np.zeros(len(codes), dtype=bool)
    for query, row in enumerate(rows):
        relevant = np.delete(codes == codes[query], query)
        if not relevant.any():
            continue
        ranks = _relevant_ranks(np.delete(row, query), np.flatnonzero(relevant))
        precision[query] = np.mean(np.arange(1, len(ranks) + 1) / ranks)
        hits[query] = ranks[0] == 1
    scored = ~np.isnan(precision)
    if not scored.any():
        raise ValueError(
            "no label occurs twice, so that no query has a relevant page: give at least one "
            "writer two pages"
        )
    return RetrievalScores(
        mean_average_precision=100 * float(precision[scored].mean()),
        top1=100 * float(hits[scored].mean()),
        average_precision=precision,
        top1_hits=hits,
        queries=int(scored.sum()),
        queries_without_relevant=int((~scored).sum()),
    )


def _relevant_ranks(row: Floats, relevant: NDArray[np.intp]) -> NDArray[np.intp]:
    """Ranks from 1, ascending, of the relevant pages. Eq. 10 needs no others.

    Sorting values and looking the relevant ones up is several times faster than sorting
    positions, which a stable argsort would have to do.
    """
    wanted = row[relevant]
    ordered = np.sort(row)
    before = np.searchsorted(ordered, wanted, side="left")
    equal = np.searchsorted(ordered, wanted, side="right") - before
    for i in np.flatnonzero(equal > 1):
        before[i] += np.count_nonzero(row[: relevant[i]] == wanted[i])
    return np.sort(before) + 1


def _distances(points: Floats, distance: Distance) -> Iterator[Floats]:
    # Matrix products may round equal columns differently; equal rows share one column instead.
    unique, inverse = np.unique(points, axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    metric: Callable[[Floats, Floats], Floats]
    if distance == "cosine":
        lengths = np.linalg.norm(unique, axis=1, keepdims=True)
        if not lengths.all():
            page = int(np.flatnonzero(~points.any(axis=1))[0])
            raise ValueError(f"descriptor of page {page} is zero: its cosine is not defined")
        unique = unique / lengths
        metric = _cosine
    elif distance == "sqeuclidean":
        metric = _squared_euclidean
    else:
        raise ValueError(f"distance must be 'sqeuclidean' or 'cosine', got {distance!r}")
    block = max(1, _BLOCK_BYTES // (8 * len(unique)))
    for start in range(0, len(points), block):
        yield from metric(unique[inverse[start : start + block]], unique)[:, inverse]


def _squared_euclidean(queries: Floats, gallery: Floats) -> Floats:
    squares = -2 * queries @ gallery.T
    squares += np.einsum("nd,nd->n", queries, queries)[:, None]
    squares += np.einsum("nd,nd->n", gallery, gallery)
    return squares


def _cosine(queries: Floats, gallery: Floats) -> Floats:
    return 1 - queries @ gallery.T


@dataclass(frozen=True, eq=False)
class ClassificationScores:
    """Scores of a classification of n pages into C classes.

    Attributes:
        accuracy: pages whose class is right, in percent.
        balanced_accuracy: mean of `recall` over the classes that occur, in percent.
        recall: (C,) right pages of each class, in percent; nan for a class without pages.
        confusion: (C, C) numbers of pages, rows true classes, columns predicted ones.
        predictions: (n,) index into the classes of each page.
    """

    accuracy: float
    balanced_accuracy: float
    recall: Floats
    confusion: NDArray[np.int64]
    predictions: NDArray[np.intp]


def evaluate_classification(
    logits: ArrayLike, labels: ArrayLike, classes: ArrayLike
) -> ClassificationScores:
    """Take the class of the largest logit (the first of equals) and compare with the labels.

    Args:
        logits: (n, C), or any scores whose largest is the prediction.
        labels: (n,) the class of each page.
        classes: (C,) the class of each column.

    Raises:
        ValueError: on shapes that do not match, no pages, logits that are not finite, classes
            that repeat, or a label that is not one of them.

    >>> evaluate_classification([[2, 1], [0, 3], [1, 0]], ["a", "b", "b"], ["a", "b"]).confusion
    array([[1, 0],
           [1, 1]])
    """
    scores, truth, names = np.asarray(logits), np.asarray(labels), np.asarray(classes)
    if scores.ndim != 2 or scores.shape != (truth.size, names.size) or truth.ndim != 1:
        raise ValueError(
            f"logits of shape {scores.shape} do not match labels of shape {truth.shape} and "
            f"classes of shape {names.shape}: wanted (pages, classes), (pages,) and (classes,)"
        )
    if not len(scores):
        raise ValueError("no pages to classify: at least one is wanted")
    _require_finite(scores, "a logit")
    columns = {name: column for column, name in enumerate(names.tolist())}
    if len(columns) < names.size:
        raise ValueError(f"classes must differ from each other, got {names.tolist()}")
    unknown = sorted(set(truth.tolist()) - set(columns))
    if unknown:
        raise ValueError(f"label {unknown[0]!r} is not one of the classes {names.tolist()}")
    right = np.array([columns[label] for label in truth.tolist()])
    predictions = scores.argmax(axis=1)
    confusion = np.zeros((names.size, names.size), dtype=np.int64)
    np.add.at(confusion, (right, predictions), 1)
    pages = confusion.sum(axis=1)
    recall = np.full(names.size, np.nan)
    np.divide(100.0 * confusion.diagonal(), pages, out=recall, where=pages > 0)
    return ClassificationScores(
        accuracy=100 * float(np.mean(predictions == right)),
        balanced_accuracy=float(np.nanmean(recall)),
        recall=recall,
        confusion=confusion,
        predictions=predictions,
    )


def accuracy_of_whole_batches(
    logits: ArrayLike, labels: ArrayLike, classes: ArrayLike, *, batch: int
) -> float:
    """Accuracy in percent where the pages of a last, smaller batch count as wrong.

    So the authors' code validates: it leaves that batch out, but divides by all pages.

    Args:
        logits: (n, C).
        labels: (n,).
        classes: (C,).
        batch: pages in a batch.

    Raises:
        ValueError: as `evaluate_classification`.

    >>> accuracy_of_whole_batches([[1, 0]] * 5, ["a"] * 5, ["a", "b"], batch=2)
    80.0
    """
    scores = evaluate_classification(logits, labels, classes)
    names = np.asarray(classes)[scores.predictions]
    right = names == np.asarray(labels)
    right[len(right) // batch * batch :] = False
    return 100 * float(right.mean())


def _codes(labels: ArrayLike, pages: int) -> NDArray[np.intp]:
    names = np.asarray(labels)
    if names.shape != (pages,):
        raise ValueError(f"labels must be ({pages},), one for each page, got shape {names.shape}")
    if pages < 2:
        raise ValueError(f"retrieval needs at least two pages, got {pages}")
    codes: NDArray[np.intp] = np.unique(names, return_inverse=True)[1].reshape(-1)
    return codes


def _require_finite(rows: NDArray[np.generic], name: str) -> None:
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise ValueError(
            f"{name} of page {bad[0]} is not finite ({len(bad)} of {len(rows)} pages are not)"
        )

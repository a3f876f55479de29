"""Scores of a classification of pages, in percent, over all pages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dgmp.metrics.distances import Floats, Positions, require_finite


@dataclass(frozen=True, eq=False)
class ClassificationScores:
    """Scores of a classification of n pages into C classes.

    Attributes:
        accuracy: pages whose class is right, in percent.
        balanced_accuracy: mean of `recall` over the classes that occur, in percent.
        recall: (C,) right pages of each class, in percent; nan for a class without pages.
        confusion: (C, C) numbers of pages, rows true classes, columns predicted ones.
        predictions: (n,) index into the classes of each page.
        right: (n,) whether the page's class is right.
    """

    accuracy: float
    balanced_accuracy: float
    recall: Floats
    confusion: NDArray[np.int64]
    predictions: Positions
    right: NDArray[np.bool_]


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

    The only a is right, and one b of two.

    >>> scores = evaluate_classification([[2, 1], [0, 3], [1, 0]], ["a", "b", "b"], ["a", "b"])
    >>> scores.confusion
    array([[1, 0],
           [1, 1]])
    >>> round(scores.accuracy, 2), scores.recall.tolist(), scores.balanced_accuracy
    (66.67, [100.0, 50.0], 75.0)
    """
    scores, truth, names = np.asarray(logits), np.asarray(labels), np.asarray(classes)
    if scores.ndim != 2 or scores.shape != (truth.size, names.size) or truth.ndim != 1:
        raise ValueError(
            f"logits of shape {scores.shape} do not match labels of shape {truth.shape} and "
            f"classes of shape {names.shape}: wanted (pages, classes), (pages,) and (classes,)"
        )
    if not len(scores):
        raise ValueError("no pages to classify: at least one is wanted")
    require_finite(scores, "a logit")
    columns = {name: column for column, name in enumerate(names.tolist())}
    if len(columns) < names.size:
        raise ValueError(f"classes must differ from each other, got {names.tolist()}")
    unknown = sorted(set(truth.tolist()) - set(columns))
    if unknown:
        raise ValueError(f"label {unknown[0]!r} is not one of the classes {names.tolist()}")
    expected = np.array([columns[label] for label in truth.tolist()])
    predictions = scores.argmax(axis=1)
    confusion = np.zeros((names.size, names.size), dtype=np.int64)
    np.add.at(confusion, (expected, predictions), 1)
    pages = confusion.sum(axis=1)
    recall = 100 * np.divide(
        confusion.diagonal(), pages, out=np.full(names.size, np.nan), where=pages > 0
    )
    right = predictions == expected
    return ClassificationScores(
        accuracy=100 * float(right.mean()),
        balanced_accuracy=float(np.nanmean(recall)),
        recall=recall,
        confusion=confusion,
        predictions=predictions,
        right=right,
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
    right = evaluate_classification(logits, labels, classes).right
    return 100 * float(right[: len(right) // batch * batch].sum() / len(right))

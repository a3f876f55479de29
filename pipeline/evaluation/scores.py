"""Scores of one run's predictions of the test set, as a whole and page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from dgmp.metrics import (
    ClassificationScores,
    Distance,
    RetrievalScores,
    evaluate_classification,
    evaluate_retrieval,
)
from pipeline.settings.base import Task


@dataclass(frozen=True)
class Scores:
    """What predictions are worth.

    Attributes:
        percent: those of `SCORES` that the task has, in percent.
        pages: for each page average_precision (text, in [0, 1]) and top1 (0 or 1), nothing for a
            page without a relevant one, or the predicted class.
    """

    percent: dict[str, float]
    pages: list[dict[str, Any]]


def score_predictions(arrays: Mapping[str, NDArray[Any]], task: Task, distance: Distance) -> Scores:
    """Score the arrays of a prediction file; the distance is that of the writers' descriptors.

    Raises:
        ValueError: as `dgmp.metrics`.
    """
    if task == "writers":
        descriptors, labels = arrays["descriptors"], arrays["labels"]
        return _retrieval(evaluate_retrieval(descriptors, labels, distance=distance))
    classes = arrays["classes"]
    found = evaluate_classification(arrays["logits"], arrays["labels"], classes)
    return _classification(found, classes)


def _retrieval(scores: RetrievalScores) -> Scores:
    percent = {"mAP": scores.mean_average_precision, "top1": scores.top1}
    percent |= {f"soft_top{k}": scores.soft_top(k) for k in (5, 10)}
    percent |= {f"hard_top{k}": scores.hard_top(k) for k in (2, 3, 4)}
    percent["precision_at4"] = scores.precision_at(4)
    pages = [
        {"average_precision": f"{precision:.9f}", "top1": int(hit)} if scored else {}
        for precision, hit, scored in zip(
            scores.average_precision, scores.top1_hits, scores.scored, strict=True
        )
    ]
    return Scores(percent, pages)


def _classification(scores: ClassificationScores, classes: NDArray[Any]) -> Scores:
    percent = {"accuracy": scores.accuracy, "balanced_accuracy": scores.balanced_accuracy}
    return Scores(percent, [{"predicted": name} for name in classes[scores.predictions]])

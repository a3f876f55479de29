"""Retrieval and classification scores, all in percent, over all pages."""

from dgmp.metrics.classification import (
    ClassificationScores,
    accuracy_of_whole_batches,
    evaluate_classification,
)
from dgmp.metrics.distances import Distance
from dgmp.metrics.retrieval import RetrievalScores, evaluate_ranking, evaluate_retrieval

__all__ = [
    "ClassificationScores",
    "Distance",
    "RetrievalScores",
    "accuracy_of_whole_batches",
    "evaluate_classification",
    "evaluate_ranking",
    "evaluate_retrieval",
]

"""Retrieval and classification scores, all in percent, over all pages."""

from dgmp.classification import (
    ClassificationScores,
    accuracy_of_whole_batches,
    evaluate_classification,
)
from dgmp.distances import Distance
from dgmp.retrieval import RetrievalScores, evaluate_ranking, evaluate_retrieval

__all__ = [
    "ClassificationScores",
    "Distance",
    "RetrievalScores",
    "accuracy_of_whole_batches",
    "evaluate_classification",
    "evaluate_ranking",
    "evaluate_retrieval",
]

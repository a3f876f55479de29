"""Another name for `dgmp.analysis.ensemble`."""

from dgmp.analysis.ensemble import (
    average_probabilities,
    majority_vote,
)

__all__ = [
    "average_probabilities",
    "majority_vote",
]

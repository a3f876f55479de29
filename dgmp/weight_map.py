"""Another name for `dgmp.analysis.weight_map`."""

from dgmp.analysis.weight_map import (
    enlarge,
    weight_map,
)

__all__ = [
    "enlarge",
    "weight_map",
]

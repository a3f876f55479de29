"""Another name for `dgmp.analysis.bootstrap`."""

from dgmp.analysis.bootstrap import (
    Interval,
    bootstrap_interval,
    group_sums,
)

__all__ = [
    "Interval",
    "bootstrap_interval",
    "group_sums",
]

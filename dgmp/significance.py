"""Another name for `dgmp.analysis.randomization_test`."""

from dgmp.analysis.randomization_test import (
    holm,
    sign_flip_test,
)

__all__ = [
    "holm",
    "sign_flip_test",
]

"""Another name for `dgmp.pooling.functional`."""

from dgmp.pooling.functional import (
    average_pool,
    generalized_max_pool,
    generalized_mean_pool,
    log_sum_exp_pool,
    max_pool,
    mixed_pool,
    sum_pool,
)

__all__ = [
    "average_pool",
    "generalized_max_pool",
    "generalized_mean_pool",
    "log_sum_exp_pool",
    "max_pool",
    "mixed_pool",
    "sum_pool",
]

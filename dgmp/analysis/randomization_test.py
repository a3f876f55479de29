"""Whether the difference between two systems on the same queries is more than noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import permutation_test

from dgmp.analysis.bootstrap import RESAMPLES, group_sums

Floats = NDArray[np.float64]

_BATCH = 500


def sign_flip_test(
    differences: ArrayLike,
    groups: ArrayLike,
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> float:
    """Two-sided p-value of a mean difference, by a paired randomization test over groups.

    If the systems were the same but for noise, each writer's queries could have been scored by
    them the other way round. The test turns round all the differences of a writer at once (by
    SciPy): all 2^G signs of G groups where these are no more than `resamples`, otherwise that many
    drawn at random. The observed signs are counted among them, so that p is never 0. The least p
    is 2^(1-G): with five writers or fewer no difference is significant at 0.05.

    Args:
        differences: (n,) score of one system minus the other's for each query, for several runs
            the difference of their means.
        groups: (n,) the writer of each query; for pages drawn one by one, a number each.
        rng: Source of randomness.
        resamples: Number of signs to draw at most.

    Raises:
        ValueError: on shapes that do not match, differences that are not finite, or fewer than two
            groups.

    Three writers, all better: of the 8 signs those observed and their opposite are as extreme.

    >>> sign_flip_test([0.1, 0.3, 0.2], ["a", "b", "c"], rng=np.random.default_rng(0))
    0.25
    """
    sums, _ = group_sums(differences, groups)
    if len(sums) < 2:
        raise ValueError("a test needs at least two groups (writers), got one")
    found = permutation_test(
        (sums,),
        _sum,
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        batch=_BATCH,
        rng=rng,
    )
    return float(found.pvalue)


def holm(p_values: ArrayLike) -> Floats:
    """p-values adjusted for being several (Holm 1979).

    Whatever is below a level afterwards is wrong at most that often in all of the comparisons
    together, whether they depend on each other or not.

    Args:
        p_values: (m,) in [0, 1].

    Returns:
        (m,) in the order given.

    Raises:
        ValueError: on another shape, or values outside of [0, 1].

    The smallest counts three times, the next twice, the largest once but not less than the next.

    >>> holm([0.04, 0.01, 0.03]).tolist()
    [0.06, 0.03, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p-values must be (m,) in [0, 1], got {p.tolist()}")
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return adjusted


def _sum(sums: Floats, axis: int = -1) -> Floats:
    total: Floats = sums.sum(axis=axis)
    return total

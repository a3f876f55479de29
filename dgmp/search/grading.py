"""From which score on two pages are taken for the same hand's."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import logit

from dgmp.search.findings import Cutoffs

# Logistic curve from score to "same hand" over the pairs of the 475 training pages (103 manuscripts
# of 3 to 5 pages): where it is one half, and its slope there. Curves of 25 to 100 of these
# manuscripts have midpoints from 6.2 to 9.7 and slopes from 0.9 to 1.3.
MIDPOINT = 8.4
SLOPE = 1.05

# Of a pair at the cut-offs. Of the nearest pages of the training pages 99.8 % of those above the
# upper one are right, three quarters of those between the two, and a fifth of those below.
P_LIKELY = 0.85
P_UNSURE = 0.2

# How far the curve of a collection is expected from that of the training manuscripts, as standard
# deviations of midpoint and logarithm of the slope: spread of the curves of parts of them.
MIDPOINT_SPREAD = 1.5
SLOPE_SPREAD = 0.2


def stated_cutoffs() -> Cutoffs:
    """Cut-offs of a collection of which nothing is known.

    >>> cutoffs = stated_cutoffs()
    >>> round(cutoffs.likely, 2), round(cutoffs.unsure, 2)
    (10.05, 7.08)
    """
    return _cutoffs(
        MIDPOINT,
        SLOPE,
        "The cut-offs are constants, chosen on 475 pages of 103 medieval and early modern "
        "manuscripts; whether they hold for these pages was not checked.",
    )


def fitted_cutoffs(scores: ArrayLike, same: ArrayLike, source: str) -> Cutoffs:
    """Cut-offs from pairs of pages that are known to be by the same hand or by two.

    A logistic curve from score to "same hand" (Platt, Probabilistic Outputs for Support Vector
    Machines, 1999), with normal priors at the curve of the training manuscripts, so that a few
    pairs move the cut-offs a little, and many far. The pairs may be chosen by their scores.

    Args:
        scores: (p,), finite, of pairs of different codices.
        same: bool (p,).
        source: Where the answers come from, as in "Cut-offs were fitted to 12 pairs of ...".

    Raises:
        ValueError: no pair, scores that are not finite, lengths that differ.
    """
    values, answers = np.asarray(scores, dtype=np.float64), np.asarray(same, dtype=bool)
    if values.ndim != 1 or values.shape != answers.shape or not len(values):
        raise ValueError(
            f"cut-offs need one answer for each of at least one pair, got {values.shape} scores "
            f"and {answers.shape} answers: use stated_cutoffs() where nothing is known"
        )
    if not np.isfinite(values).all():
        raise ValueError("scores of known pairs must be finite: leave pages without writing out")
    signs = np.where(answers, 1.0, -1.0)

    def loss(moved: np.ndarray) -> float:
        slope = SLOPE * math.exp(SLOPE_SPREAD * moved[1])
        margins = signs * slope * (values - MIDPOINT - MIDPOINT_SPREAD * moved[0])
        return float(np.logaddexp(0, -margins).sum() + (moved**2).sum() / 2)

    moved = minimize(loss, np.zeros(2), method="BFGS").x
    return _cutoffs(
        MIDPOINT + MIDPOINT_SPREAD * float(moved[0]),
        SLOPE * math.exp(SLOPE_SPREAD * float(moved[1])),
        f"Cut-offs were fitted to {len(answers)} pairs of {source}, {np.count_nonzero(answers)} of "
        "them by the same hand.",
    )


def _cutoffs(midpoint: float, slope: float, rule: str) -> Cutoffs:
    likely, unsure = (midpoint + float(logit(p)) / slope for p in (P_LIKELY, P_UNSURE))
    return Cutoffs(likely, unsure, rule)

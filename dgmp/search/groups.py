"""Suggested hands: groups of pages that score high with each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from dgmp.search.findings import Cutoffs, Floats

METHOD = "average"
"""Linkage. Cut at `unsure`, average linkage reaches an adjusted Rand index of 0.93 on the 475
training pages and 0.71 to 0.92 on parts of them with 6 to 100 hands, complete linkage 0.92 and 0.64
to 0.91."""


def group(scores: Floats, cutoffs: Cutoffs) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Put pages together as long as two groups score at least `unsure` in the mean.

    Args:
        scores: (n, n), symmetric; the diagonal is not read.
        cutoffs: Of the grades.

    Returns:
        Groups intp (n,), numbered from 0, the largest first, then by their first page; -1 for a
        page that is alone. The tree (n - 1, 4), as SciPy writes it, whose heights are the largest
        score of all less the mean score of the two groups.

    Raises:
        ValueError: fewer than 2 pages, scores of another shape or not finite.
    """
    n = len(scores)
    off = ~np.eye(n, dtype=bool)
    if n < 2 or scores.shape != (n, n) or not np.isfinite(scores[off]).all():
        raise ValueError(
            f"groups need finite scores (n, n) of at least 2 pages, got shape {scores.shape}"
        )
    values = np.where(off, scores, np.inf).astype(np.float64)
    top = float(values[off].max())
    heights = squareform(np.where(off, top - values, 0.0), checks=False)
    tree: NDArray[np.float64] = linkage(heights, METHOD)
    # SciPy takes what is at most as high; a group of the mean `unsure` is one.
    labels = fcluster(tree, top - cutoffs.unsure, "distance")
    _, first, inverse, counts = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    ranks = np.empty(len(counts), np.intp)
    ranks[np.lexsort((first, -counts))] = np.arange(len(counts))
    ranks[counts == 1] = -1
    return ranks[inverse], tree

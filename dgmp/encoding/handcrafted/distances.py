"""Distances between page descriptors by the metrics of handcrafted features."""

from typing import Literal, get_args

import numpy as np
from sklearn.metrics.pairwise import cosine_distances, euclidean_distances, manhattan_distances

Metric = Literal["chi-squared", "L1", "cosine", "euclidean"]
METRICS: tuple[Metric, ...] = get_args(Metric)


def distance_matrix(descriptors: np.ndarray, metric: Metric) -> np.ndarray:
    """Distances between all descriptors (n, D), as float32 (n, n).

    Chi-squared is Σ (a − b)² / (a + b) over the bins where a + b > 0; L1 Σ |a − b|; cosine one
    minus the cosine; euclidean not squared. A descriptor of zeros is a page without information:
    it is infinitely far from every other page, those of zeros among them, and so ranks last.

    Chi-squared looks only at the bins that two histograms share: Σ a + Σ b − 4 Σ a b / (a + b),
    so that its time grows with the filled bins.

    Raises:
        ValueError: an unknown metric, descriptors that are not finite (n, D), or negative ones
            for chi-squared.

    >>> distance_matrix(np.array([[1.0, 0.0], [0.5, 0.5]]), "L1").tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    points = np.asarray(descriptors)
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}; known: {', '.join(METRICS)}")
    if points.ndim != 2 or not np.isfinite(points).all():
        raise ValueError(f"descriptors must be finite (pages, D), got shape {points.shape}")
    if metric == "chi-squared":
        distances = _chi_squared(points)
    elif metric == "L1":
        distances = manhattan_distances(points).astype(np.float32)
    elif metric == "cosine":
        distances = cosine_distances(points).astype(np.float32)
    else:
        distances = euclidean_distances(points).astype(np.float32)
    blank = ~points.any(axis=1)
    distances[blank] = np.inf
    distances[:, blank] = np.inf
    np.fill_diagonal(distances, 0)
    return distances


def _chi_squared(points: np.ndarray) -> np.ndarray:
    if (points < 0).any():
        page = int(np.flatnonzero((points < 0).any(axis=1))[0])
        raise ValueError(
            f"chi-squared compares histograms, but descriptor {page} has negative values: take "
            "another metric"
        )
    # One row a bin: those that a page fills are then read as wholes.
    bins = np.ascontiguousarray(points.T, dtype=np.float32)
    sums = points.sum(axis=1, dtype=np.float64)
    distances = np.zeros((len(points), len(points)), np.float32)
    for page, point in enumerate(points):
        filled = np.flatnonzero(point)
        own = bins[filled, page, None]
        others = bins[filled, page + 1 :]
        shared = np.einsum("d,dn->n", own[:, 0], others / (own + others), dtype=np.float64)
        row = sums[page] + sums[page + 1 :] - 4 * shared
        distances[page, page + 1 :] = distances[page + 1 :, page] = np.maximum(row, 0)
    return distances

"""Pooling of the residuals of one page, separately for each centre of a vocabulary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dgmp.encoding.democratic import democratic_weights
from dgmp.pooling.functional import generalized_max_pool

Pooling = Literal["sum", "gmp", "democratic"]
Residuals = Literal["raw", "unit"]

# Largest ratio of the numbers of residuals of two centres that are pooled in one batch, padded to
# the larger. Not measured yet.
BATCH_RATIO = 1.5


def assign(vectors: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Find the nearest centre of each descriptor: (n, d), (K, d) -> intp (n,).

    >>> assign(np.array([[0.9], [0.1]]), np.array([[0.0], [1.0]]))
    array([1, 0])
    """
    return np.argmax(vectors @ centres.T - np.square(centres).sum(axis=1) / 2, axis=1)


def residuals_of(
    vectors: np.ndarray, centres: np.ndarray, nearest: np.ndarray, kind: Residuals
) -> np.ndarray:
    """Descriptors less their centre, (n, d); with `unit` of length 1, unless zero."""
    residuals = vectors - centres[nearest]
    if kind == "unit":
        lengths = np.linalg.norm(residuals, axis=1, keepdims=True)
        residuals /= np.where(lengths > 0, lengths, 1)
    return residuals


def pool_residuals(
    residuals: np.ndarray,
    nearest: np.ndarray,
    centres: int,
    *,
    pooling: Pooling,
    lambda_: float,
    relative: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Pool the residuals float32 (n, d) of each centre.

    Args:
        residuals: of one page.
        nearest: intp (n,), the centre of each.
        centres: K, how many there are.
        pooling: `sum`; `gmp`, generalized max pooling (Murray et al. 2017; Eqs. 5-9 of Deep
            Generalized Max Pooling) of the residuals of a centre; `democratic` (Jégou and
            Zisserman 2014), likewise.
        lambda_: of `gmp`.
        relative: whether lambda_ is a multiple of the mean squared length of a centre's residuals.

    Returns:
        Pooled residuals float32 (K, d), zero for a centre that has none, and the weights float32
        (n,) with which they are the weighted sums.
    """
    pooled = np.zeros((centres, residuals.shape[1]), np.float32)
    weights = np.ones(len(residuals), np.float32)
    for which, members in _batches(nearest, centres):
        mask = torch.from_numpy(members >= 0)
        phi = torch.from_numpy(residuals[members]).mT  # what is masked holds any residual
        if pooling == "sum":
            alpha = mask.float()
            xi = _weighted_sum(phi, alpha)
        elif pooling == "democratic":
            alpha = democratic_weights(phi, mask)
            xi = _weighted_sum(phi, alpha)
        else:
            ridge = _ridge(phi, mask, lambda_) if relative else lambda_
            xi, alpha = generalized_max_pool(phi, ridge, mask=mask, return_weights=True)
        pooled[which] = xi.numpy()
        weights[members[members >= 0]] = alpha[mask].numpy()
    return pooled, weights


def _weighted_sum(phi: Tensor, weights: Tensor) -> Tensor:
    return torch.bmm(phi, weights.unsqueeze(2)).squeeze(2)


def _ridge(phi: Tensor, mask: Tensor, lambda_: float) -> Tensor:
    """lambda_ times the mean squared length, (B,)."""
    squares = phi.square().sum(dim=1).masked_fill(~mask, 0).sum(dim=1) / mask.sum(dim=1)
    return lambda_ * squares.clamp(min=torch.finfo(phi.dtype).tiny / min(lambda_, 1))


def _batches(nearest: np.ndarray, centres: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Centres (B,) of similar numbers of residuals, with the indices of these (B, N), else -1."""
    counts = np.bincount(nearest, minlength=centres)
    order = np.argsort(nearest, kind="stable")
    starts = np.cumsum(counts) - counts
    by_count = np.argsort(counts, kind="stable")
    by_count = by_count[counts[by_count] > 0]
    while len(by_count):
        longest = counts[by_count[-1]]
        first = np.searchsorted(counts[by_count], longest / BATCH_RATIO)
        by_count, which = by_count[:first], by_count[first:]
        within = np.arange(longest) < counts[which, None]
        members = np.full(within.shape, -1)
        members[within] = order[(starts[which, None] + np.arange(longest))[within]]
        yield which, members

"""Pooling of the residuals of one page, separately for each centre of a vocabulary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from dgmp.encoding.plain_gmp import plain_gmp

Pooling = Literal["sum", "gmp", "democratic"]
Residuals = Literal["raw", "unit"]

# Largest ratio of the numbers of residuals of two centres that are pooled in one batch, padded with
# zeros to the larger. From 1.25 to 2 the time of `gmp` differs by less than a tenth.
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
    lambda_: float = 1.0,
    relative: bool = False,
    one_page: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Pool the residuals float32 (n, d) of each centre.

    Args:
        residuals: of one page, or of several with centres of their own.
        nearest: intp (n,), the centre of each.
        centres: K, how many there are.
        pooling: `sum`; `gmp`, generalized max pooling (Murray et al. 2017; Eqs. 5-9 of Deep
            Generalized Max Pooling) of the residuals of a centre; `democratic` (Jégou and
            Zisserman 2014), likewise.
        lambda_: of `gmp`.
        relative: whether lambda_ is a multiple of the mean squared length of a centre's residuals.
        one_page: whether `gmp` is by NumPy in double precision: a page less to wait for PyTorch,
            which takes 2 to 3 s to load. The results differ by the rounding of single precision.

    Returns:
        Pooled residuals float32 (K, d), zero for a centre that has none, and the weights float32
        (n,) with which they are the weighted sums.
    """
    pool = _by_numpy if one_page and pooling == "gmp" else _by_torch
    pooled = np.zeros((centres, residuals.shape[1]), np.float32)
    weights = np.ones(len(residuals), np.float32)
    padded = np.concatenate([residuals, np.zeros((1, residuals.shape[1]), np.float32)])
    for which, members in _batches(nearest, centres):
        within = members >= 0
        pooled[which], alpha = pool(padded[members], within, pooling, lambda_, relative)
        weights[members[within]] = alpha[within]
    return pooled, weights


def _by_numpy(
    residuals: np.ndarray, within: np.ndarray, pooling: Pooling, lambda_: float, relative: bool
) -> tuple[np.ndarray, np.ndarray]:
    """As `_by_torch`, for `gmp` alone."""
    try:
        return plain_gmp(residuals, within, lambda_, relative)
    except np.linalg.LinAlgError:  # PyTorch's way has a remedy
        return _by_torch(residuals, within, pooling, lambda_, relative)


def _by_torch(
    residuals: np.ndarray, within: np.ndarray, pooling: Pooling, lambda_: float, relative: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Pooled (B, d) and weights (B, N) of residuals (B, N, d), zero where they are not within."""
    # Here, because PyTorch takes 2 s to load and processes that describe pages do without.
    import torch

    from dgmp.encoding.democratic import democratic_weights
    from dgmp.pooling.functional import generalized_max_pool

    phi = torch.from_numpy(residuals).mT
    if pooling == "sum":
        return phi.sum(dim=2).numpy(), np.ones(within.shape, np.float32)
    if pooling == "democratic":
        alpha = democratic_weights(phi)
        xi = torch.bmm(phi, alpha.unsqueeze(2)).squeeze(2)
    else:
        # Zeros add nothing to the system but lambda: only the mean energy needs a mask.
        mask = torch.from_numpy(within) if relative else None
        xi, alpha = generalized_max_pool(
            phi, lambda_, mask=mask, relative=relative, return_weights=True
        )
    return xi.numpy(), alpha.numpy()


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

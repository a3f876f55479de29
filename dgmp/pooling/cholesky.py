"""Cholesky factors of regularized Gram matrices, with a remedy for those that fail."""

from __future__ import annotations

import warnings
from itertools import pairwise

import torch
from torch import Tensor

JITTERS = (1e-6, 1e-5, 1e-4, 1e-3)
"""Tried in turn, times the mean of the diagonal, for a system that Cholesky cannot factorize."""

# Rows of a Gram matrix from which it is computed in two or four blocks without its upper half. On
# an AMD EPYC with one thread two blocks take 0.86 to 0.99 of the whole product's time at 160 to 192
# rows (0.6 to 1.07 at 128 and 144), four 0.72 to 0.87 of it at 512; these timings scatter by 0.1.
TWO_BLOCKS_FROM = 160
FOUR_BLOCKS_FROM = 256

# Rows from which and up to which a system is factorized in halves. MKL takes 1.2 ms for 8 systems
# of 128 rows and 0.5 ms for 129, halves take 0.9 ms for 128 (AMD EPYC, one thread); on an Intel
# Xeon 1.2, 0.3 and 0.6 ms. From 129 rows on halves take 1.1 to 3 times as long as the whole.
HALVES_FROM = 113
HALVES_TO = 128


class NumericalWarning(RuntimeWarning):
    """A system needed a jitter on its diagonal before it could be factorized."""


def gram_cholesky(x: Tensor, ridge: Tensor) -> Tensor:
    """Lower Cholesky factors of X^T X + ridge I, one a sample; not differentiable.

    A sample that fails is retried alone with a growing jitter, and a warning tells of it. A
    sample that is not finite, or that no jitter mends, has a factor of NaN. An exported program
    has no retry: there each failing sample gives NaN.

    Args:
        x: Matrices X, (B, m, n).
        ridge: Added to the diagonal, () or (B, 1, 1).

    Returns:
        Lower triangular factors, (B, n, n).
    """
    if torch.compiler.is_exporting():
        identity = torch.eye(x.shape[2], dtype=x.dtype, device=x.device)
        factors, info = torch.linalg.cholesky_ex(x.mT @ x + ridge * identity)
        return torch.where((info > 0)[:, None, None], torch.nan, factors)
    gram = _gram(x)
    gram.diagonal(dim1=1, dim2=2).add_(ridge.flatten(1) if ridge.ndim else ridge)
    return cholesky_with_retry(gram)


def cholesky_with_retry(gram: Tensor) -> Tensor:
    """Lower factors of symmetric matrices (B, n, n), with the remedy of `gram_cholesky`.

    Only what lies on and below the diagonal is read.
    """
    factors, info = _cholesky(gram)
    if not info.is_meta and any(info.tolist()):
        finite = gram.diagonal(dim1=1, dim2=2).isfinite().all(dim=1)
        factors[info > 0] = torch.nan
        _retry(gram, factors, ((info > 0) & finite).nonzero().squeeze(1))
    return factors


def _gram(x: Tensor) -> Tensor:
    """X^T X in column order, where it may be set only on and below the diagonal.

    That is all a factorization reads, so that a large one is computed in blocks: rows of the
    upper half of the transposed matrix.
    """
    batch, _, n = x.shape
    if n == 1:
        return x.square().sum(dim=1, keepdim=True)
    blocks = 4 if n >= FOUR_BLOCKS_FROM else 2 if n >= TWO_BLOCKS_FROM else 1
    if blocks == 1:
        return torch.bmm(x.mT, x).mT
    gram = x.new_empty(batch, n, n)
    edges = [n * i // blocks for i in range(blocks + 1)]
    for start, stop in pairwise(edges):
        gram[:, start:stop, start:] = torch.bmm(x[:, :, start:stop].mT, x[:, :, start:])
    return gram.mT


def _cholesky(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Factors and LAPACK's info, in halves where MKL takes several times as long for the whole."""
    n = gram.shape[1]
    if n == 1:
        return gram.sqrt(), (~(gram > 0)).flatten().int()
    if not HALVES_FROM <= n <= HALVES_TO:
        factors, info = torch.linalg.cholesky_ex(gram)
        return factors, info
    half = n // 2
    upper, info = torch.linalg.cholesky_ex(gram[:, :half, :half])
    beside = torch.linalg.solve_triangular(upper, gram[:, half:, :half].mT, upper=False).mT
    rest = torch.baddbmm(gram[:, half:, half:], beside, beside.mT, alpha=-1)
    lower, later_info = torch.linalg.cholesky_ex(rest)
    factors = torch.zeros_like(gram.mT).mT  # in column order, as a whole one
    factors[:, :half, :half] = upper
    factors[:, half:, :half] = beside
    factors[:, half:, half:] = lower
    return factors, torch.maximum(info, later_info)


def _retry(grams: Tensor, factors: Tensor, failed: Tensor) -> None:
    """Put factors in the places that failed, as far as a jitter on the diagonal allows it."""
    for jitter in JITTERS:
        if len(failed) == 0:
            return
        warnings.warn(
            f"{len(failed)} of {len(grams)} systems are not positive definite in {grams.dtype}; "
            f"added {jitter:g} of their mean diagonal",
            NumericalWarning,
            stacklevel=2,
        )
        gram = grams[failed]
        diagonal = gram.diagonal(dim1=1, dim2=2)
        diagonal.add_(jitter * diagonal.mean(dim=1, keepdim=True))
        retried, info = _cholesky(gram)
        factors[failed[info == 0]] = retried[info == 0]
        failed = failed[info > 0]

"""The linear system of the ridge regression: which one is solved, its products, its solution.

Nothing here is differentiated; `dgmp.pooling.ridge` has the derivatives.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dgmp.pooling.cholesky import gram_cholesky

# Entries of a matrix, and length of its rows in memory, from which a batch's products with vectors
# are made as rows. As columns they take 0.3 to 1.0 of the time up to 256 entries, 0.3 to 1.5 at 512
# and 0.7 to 6.5 from 8192 on; but for matrices of rows of 2 to 6 and columns of 128 to 2048 they
# take 0.2 to 1.0, of rows of 8 0.5 to 1.5 (2 to 256 samples, Intel Xeon, one and two threads).
# PyTorch's own loop ends at 400 entries.
ENTRIES_AS_ROWS = 400
LENGTH_AS_ROWS = 8

# Rows up to which, and samples from which on, one torch.cholesky_solve takes the place of two
# triangular solves. On an AMD EPYC with one thread it takes 0.9 of their time for 64 samples and
# 0.8 for 256, of 2 to 8 rows; for 16 rows there is no gain.
CHOLESKY_SOLVE_ROWS = 8
CHOLESKY_SOLVE_SAMPLES = 64

# Maps, or locations where these are at least twice the maps, from which a primal solve is refined.
# Largest relative error of a value with and without, at lambda = 1 in float32, 8 uniform samples:
# 3e-6 and 7e-5 for 128 maps x 130 locations, 2e-6 and 5e-5 for 128 x 256. The time of a value grows
# by up to 1.4 there and at more maps or locations, by 1.4 to 3 at 32 or 64 maps x 64 to 256.
REFINED_FROM = 128
REFINED_RATIO = 2


def is_dual(phi: Tensor) -> bool:
    """Whether the system of the locations is solved, not that of the maps: the smaller one."""
    _, depth, locations = phi.shape
    if torch.compiler.is_exporting():
        from torch.fx.experimental.symbolic_shapes import statically_known_true  # slow to import

        # A program for any size must not depend on which is smaller.
        return statically_known_true(locations <= depth)
    return locations <= depth


def times(x: Tensor, vector: Tensor) -> Tensor:
    """X times a vector each: (B, m, n), (B, n, 1) -> (B, m, 1)."""
    if torch.compiler.is_exporting():
        return torch.bmm(x, vector)  # for any size
    batch, m, n = x.shape
    if n == 1:
        return x * vector
    length = n if x.stride(2) == 1 else m
    if batch == 1 or m * n < ENTRIES_AS_ROWS or length < LENGTH_AS_ROWS:
        return torch.bmm(x, vector)
    return torch.bmm(vector.view(batch, 1, n), x.mT).view(batch, m, 1)


def dot(a: Tensor, b: Tensor, like: Tensor) -> Tensor:
    """Sum of products, (B, n, 1) twice, for each sample or for all as `like`, (B, 1, 1) or ()."""
    return torch.bmm(a.mT, b) if like.ndim else (a * b).sum()


def two_outer(a: Tensor, b: Tensor, c: Tensor, d: Tensor, like: Tensor) -> Tensor:
    """a b^T + c d^T as one product, in the memory order of `like`."""
    if not torch.compiler.is_exporting() and 1 in like.shape[1:]:
        return torch.addcmul(a * b.mT, c, d.mT)
    # As rows: columns side by side take up to three times as long for 56 samples or more.
    left = torch.cat([a, c], dim=1).view(len(a), 2, -1).mT
    right = torch.cat([b, d], dim=1).view(len(b), 2, -1)
    if like.stride(2) == 1 and like.shape[2] > 1:
        return torch.bmm(left, right)
    return torch.bmm(right.mT, left.mT).mT


def is_refined(phi: Tensor) -> bool:
    """Whether one step of iterative refinement with Phi itself follows each primal solve.

    It takes back the rounding of Phi Phi^T (corrected seminormal equations, Björck 1987) for four
    passes over Phi, where these are cheap beside the rest. For a dual system they are not.
    """
    _, depth, locations = phi.shape
    if torch.compiler.is_exporting() or depth >= REFINED_FROM:
        return True
    return locations >= max(REFINED_FROM, REFINED_RATIO * depth)


def _cholesky_solve(factor: Tensor, b: Tensor) -> Tensor:
    """(L L^T)^-1 b, (B, n, 1)."""
    if not torch.compiler.is_exporting():
        if factor.shape[1] == 1:
            return b / factor.square()
        if factor.shape[1] <= CHOLESKY_SOLVE_ROWS and len(factor) >= CHOLESKY_SOLVE_SAMPLES:
            return torch.cholesky_solve(b, factor)
    # torch.cholesky_solve is one call, but would copy the factor.
    y = torch.linalg.solve_triangular(factor, b, upper=False)
    return torch.linalg.solve_triangular(factor.mT, y, upper=True)


def solve_with_factor(x: Tensor, ridge: Tensor, b: Tensor, factor: Tensor, refine: bool) -> Tensor:
    """(X^T X + ridge I)^-1 b, (B, n, 1), from the factor; `refine` takes a step of refinement."""
    solution = _cholesky_solve(factor, b)
    if not refine:
        return solution
    residual = b - times(x.mT, times(x, solution)) - ridge * solution
    return solution + _cholesky_solve(factor, residual)


def solution_of(phi: Tensor, lambda_: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """xi (B, D, 1), alpha (B, N, 1) and the factor of the smaller system."""
    if is_dual(phi):
        factor = gram_cholesky(phi, lambda_)
        alpha = _cholesky_solve(factor, phi.new_ones(phi.shape[0], phi.shape[2], 1))
        return times(phi, alpha), alpha, factor
    factor = gram_cholesky(phi.mT, lambda_)
    xi = _cholesky_solve(factor, phi.sum(dim=2, keepdim=True))
    rest = 1 - times(phi.mT, xi)
    if is_refined(phi):
        xi = xi + _cholesky_solve(factor, times(phi, rest) - lambda_ * xi)
        rest = 1 - times(phi.mT, xi)
    return xi, rest / lambda_, factor

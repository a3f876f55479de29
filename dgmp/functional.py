"""Global poolings as pure functions on descriptors `phi` of shape (B, D, N).

B samples, D activation maps, N locations; every function returns (B, D). Equation numbers are
those of Christlein et al., Deep Generalized Max Pooling, ICDAR 2019.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

JITTERS = (1e-6, 1e-5, 1e-4, 1e-3)
"""Tried in turn, times the mean of the diagonal, for a system that Cholesky cannot factorize."""


class NumericalWarning(RuntimeWarning):
    """A system needed a jitter on its diagonal before it could be factorized."""


def generalized_max_pool(phi: Tensor, lambda_: Tensor | float) -> Tensor:
    r"""Weighted sum in which frequent and rare descriptors count alike, Eqs. 5, 7 and 9.

    Solves the ridge regression
    :math:`\xi = \arg\min_\xi \|\Phi^T\xi - 1_N\|^2 + \lambda\|\xi\|^2` for each sample: in its
    dual form :math:`\xi = \Phi(\Phi^T\Phi + \lambda I_N)^{-1}1_N` if N <= D, else in its primal
    form :math:`\xi = (\Phi\Phi^T + \lambda I_D)^{-1}\Phi 1_N`. Half-precision input is solved in
    float32, and the result comes back in the input's type.

    Args:
        phi: Descriptors, (B, D, N).
        lambda_: Ridge parameter, positive; a number or a tensor of one element.

    Returns:
        Pooled descriptors, (B, D), not normalised. A sample with a NaN gives NaN.

    Raises:
        ValueError: phi is not (B, D, N) or has no location, or lambda_ is a number that is
            not positive (the elements of a tensor are not looked at).

    Examples:
        >>> phi = torch.tensor([[[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])  # the first twice
        >>> generalized_max_pool(phi, 0.001)  # close to (1, 1): both count once
        tensor([[0.9995, 0.9990]])
        >>> phi.sum(dim=2)
        tensor([[2., 1.]])
    """
    if phi.ndim != 3 or phi.shape[2] == 0:
        raise ValueError(f"phi must be (B, D, N) with N > 0, got {tuple(phi.shape)}")
    if not isinstance(lambda_, Tensor):
        if not lambda_ > 0:
            raise ValueError(f"lambda_ must be positive, got {lambda_}")
        lambda_ = torch.tensor(float(lambda_), dtype=torch.float64)
    with torch.autocast(phi.device.type, enabled=False):
        precise = phi.dtype if phi.dtype == torch.float64 else torch.float32
        pooled: Tensor = _RidgePool.apply(
            phi.to(precise), lambda_.to(device=phi.device, dtype=precise)
        )
    return pooled.to(phi.dtype)


class _RidgePool(torch.autograd.Function):
    """The smaller of the two systems by Cholesky; the backward pass reuses the factor.

    With A = K + lambda I, A alpha = 1, xi = Phi alpha, g = dL/dxi and v = A^-1 Phi^T g:
    dL/dPhi = (g - Phi v) alpha^T - xi v^T and dL/dlambda = -v^T alpha.
    """

    @staticmethod
    def forward(ctx: Any, phi: Tensor, lambda_: Tensor) -> Tensor:
        dual = phi.shape[2] <= phi.shape[1]
        gram = phi.mT @ phi if dual else phi @ phi.mT
        gram.diagonal(dim1=1, dim2=2).add_(lambda_)
        factor = _factorize(gram)
        if dual:
            alpha = torch.cholesky_solve(phi.new_ones(len(phi), phi.shape[2], 1), factor)
            xi = phi @ alpha
        else:
            xi = torch.cholesky_solve(phi.sum(dim=2, keepdim=True), factor)
            alpha = (1 - phi.mT @ xi) / lambda_
        ctx.dual = dual
        ctx.save_for_backward(phi, factor, alpha, xi, lambda_)
        return xi.squeeze(2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        phi, factor, alpha, xi, lambda_ = ctx.saved_tensors
        g = grad.unsqueeze(2)
        if ctx.dual:
            v = torch.cholesky_solve(phi.mT @ g, factor)
            residual = g - phi @ v
        else:
            w = torch.cholesky_solve(g, factor)
            v = phi.mT @ w
            residual = lambda_ * w
        left = torch.cat([residual, xi], dim=2)
        right = torch.cat([alpha, -v], dim=2)
        grad_lambda = -(v * alpha).sum().reshape(lambda_.shape)
        return left @ right.mT, grad_lambda


def _factorize(matrices: Tensor) -> Tensor:
    """Lower Cholesky factors; a failing sample alone is retried with a jitter, NaN stays NaN."""
    factors, info = torch.linalg.cholesky_ex(matrices)
    failed = info > 0
    if not bool(failed.any()):
        return factors
    finite = matrices.isfinite().all(dim=2).all(dim=1)
    factors = torch.where(finite[:, None, None], factors, torch.nan)
    failed = failed & finite
    for jitter in JITTERS:
        if not bool(failed.any()):
            break
        indices = failed.nonzero().squeeze(1)
        retried = matrices[indices]
        diagonal = retried.diagonal(dim1=1, dim2=2)
        diagonal.add_(jitter * diagonal.mean(dim=1, keepdim=True))
        warnings.warn(
            f"{len(indices)} of {len(matrices)} systems are not positive definite in "
            f"{matrices.dtype}; added {jitter:g} of their mean diagonal",
            NumericalWarning,
            stacklevel=2,
        )
        factors[indices], info = torch.linalg.cholesky_ex(retried)
        failed[indices] = info > 0
    return torch.where(failed[:, None, None], torch.nan, factors)


def average_pool(phi: Tensor) -> Tensor:
    """Mean over the locations: (B, D, N) -> (B, D)."""
    return phi.mean(dim=2)


def sum_pool(phi: Tensor) -> Tensor:
    """Sum over the locations, Eq. 3: (B, D, N) -> (B, D)."""
    return phi.sum(dim=2)


def max_pool(phi: Tensor) -> Tensor:
    """Maximum over the locations: (B, D, N) -> (B, D). Ties share the gradient."""
    return phi.amax(dim=2)


def mixed_pool(phi: Tensor, alpha: Tensor | float) -> Tensor:
    """alpha times the maximum plus (1 - alpha) times the mean, Eq. 1: (B, D, N) -> (B, D)."""
    return alpha * max_pool(phi) + (1 - alpha) * average_pool(phi)


def log_sum_exp_pool(phi: Tensor, r: Tensor | float) -> Tensor:
    """Smooth maximum, Eq. 2: (B, D, N) -> (B, D); r > 0 leads from the mean to the maximum.

    The maximum is taken out before the exponential, so that large r does not overflow.
    """
    largest = phi.amax(dim=2, keepdim=True).detach()
    return largest.squeeze(2) + torch.log(torch.exp(r * (phi - largest)).mean(dim=2)) / r


def generalized_mean_pool(phi: Tensor, p: Tensor | float, eps: float = 1e-6) -> Tensor:
    """GeM, the p-th root of the mean p-th power (Radenović et al. 2018): (B, D, N) -> (B, D).

    Activations are taken to be at least eps, as after a ReLU.
    """
    return phi.clamp(min=eps).pow(p).mean(dim=2).pow(1 / p)

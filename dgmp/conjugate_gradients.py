"""The ridge regression of generalized max pooling by conjugate gradients."""

from __future__ import annotations

import torch
from torch import Tensor

ONNX_ITERATIONS = 64
"""Steps of an exported layer that does not say how many it wants."""


def solve_ridge_iteratively(phi: Tensor, lambda_: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Pooled descriptors and weights after a fixed number of steps from zero.

    Works on the primal system, (Phi Phi^T + lambda I) xi = Phi 1, by two products with Phi a
    step and without any Gram matrix. The error shrinks at least by (sqrt(k) - 1) / (sqrt(k) + 1)
    a step, k = 1 + ||Phi||^2 / lambda (Hestenes and Stiefel 1952); a sample that has converged
    stays as it is.

    Args:
        phi: Descriptors, (B, D, N).
        lambda_: Ridge parameter, () or (B, 1, 1).
        iterations: Number of steps, positive.

    Returns:
        xi (B, D) and alpha (B, N).

    Raises:
        ValueError: iterations is not positive.
    """
    if iterations < 1:
        raise ValueError(f"the number of iterations must be positive, got {iterations}")
    transposed = phi.transpose(1, 2)
    residual = phi.sum(dim=2, keepdim=True)
    direction = residual
    xi = torch.zeros_like(residual)
    squared = (residual * residual).sum(dim=1, keepdim=True)
    tiny = torch.finfo(phi.dtype).tiny
    for _ in range(iterations):
        image = torch.bmm(phi, torch.bmm(transposed, direction)) + lambda_ * direction
        curvature = (direction * image).sum(dim=1, keepdim=True)
        step = squared / curvature.clamp(min=tiny)
        xi = xi + step * direction
        residual = residual - step * image
        previous, squared = squared, (residual * residual).sum(dim=1, keepdim=True)
        direction = residual + squared / previous.clamp(min=tiny) * direction
    alpha = (1 - torch.bmm(transposed, xi)) / lambda_
    return xi.squeeze(2), alpha.squeeze(2)

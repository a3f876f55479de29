"""The ridge parameter as the solvers take it: absolute, or relative to the descriptors' energy."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from dgmp.pooling.forward_mode import refuse_nested_forward_mode


def ridge_parameter(lambda_: Tensor | float, phi: Tensor) -> Tensor:
    """Lambda as () or (B, 1, 1), of the type and on the device of phi (B, D, N).

    Raises:
        ValueError: lambda_ has another shape than (), (1,) or (B,), or is a number that is not
            positive and finite (the elements of a tensor are not looked at).
    """
    if not isinstance(lambda_, Tensor):
        limits = torch.finfo(phi.dtype)
        if not limits.tiny <= lambda_ <= limits.max:
            raise ValueError(f"lambda_ must be positive and finite in {phi.dtype}, got {lambda_}")
        return torch.tensor(lambda_, dtype=phi.dtype, device=phi.device)
    lambda_ = lambda_.to(device=phi.device, dtype=phi.dtype)
    if lambda_.ndim == 0:
        return lambda_
    if lambda_.shape == (1,):
        return lambda_.squeeze(0)
    if lambda_.shape == phi.shape[:1]:
        return lambda_[:, None, None]
    raise ValueError(f"lambda_ must have the shape () or ({len(phi)},), got {tuple(lambda_.shape)}")


def relative_to_energy(lambda_: Tensor, energy: Tensor) -> Tensor:
    """Lambda times the energy; a sample without energy keeps its lambda as it is.

    Without energy is what lies below the root of the smallest normal number, 1e-19 in float32, so
    that one over the squared energy, which derivatives hold, is finite. The smallest energy of a
    descriptor in float16 that is not zero is 4e-15.

    Args:
        lambda_: Positive, () or of the shape of the energy.
        energy: Mean squared norm of the descriptors of each sample, trace(Phi^T Phi) / N.
    """
    smallest = torch.finfo(energy.dtype).tiny ** 0.5
    return lambda_ * energy.masked_fill(energy < smallest, 1)


def mean_energy(phi: Tensor, mask: Tensor | None) -> Tensor:
    """Mean squared norm of the descriptors, (B, 1, 1), of phi (B, D, N), zero where masked."""
    function = _SquaredNorm if torch.compiler.is_compiling() else _SquaredNormForward
    total: Tensor = function.apply(phi)
    return total / (phi.shape[2] if mask is None else mask.sum(dim=1)[:, None, None])


class _SquaredNorm(Function):
    """Sum of the squares of each sample, (B, D, N) -> (B, 1, 1).

    A step with relative lambda takes 1.1 to 1.6 of the time of one with absolute lambda; by
    autograd of the squares it takes 1.3 to 1.9 of it (6 shapes, one thread of an Intel Xeon).
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(phi: Tensor) -> Tensor:
        # Along memory: in float32 the error is 1e-7, but 3e-5 by one norm over both axes of
        # 384 x 4096, and across memory it takes 10 times as long.
        axis = 2 if phi.stride(2) == 1 else 1
        norms = torch.linalg.vector_norm(phi, dim=axis, keepdim=True)
        return norms.square().sum(dim=(1, 2), keepdim=True)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (phi,) = ctx.saved_tensors
        return 2 * g * phi


class _SquaredNormForward(_SquaredNorm):
    """With a forward mode, which a compiler refuses."""

    generate_vmap_rule = True

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        _SquaredNorm.setup_context(ctx, inputs, output)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        refuse_nested_forward_mode()
        (phi,) = ctx.saved_tensors
        return 2 * (phi * tangent).sum(dim=(1, 2), keepdim=True)

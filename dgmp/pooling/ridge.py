"""The ridge regression of generalized max pooling and its derivatives.

One Cholesky factor of the smaller system serves the value and every derivative. With
A = Phi^T Phi + lambda I, A alpha = 1, xi = Phi alpha and the gradients g of xi and h of alpha,
let v = A^-1 (Phi^T g + h). Then

    dL/dPhi = (g - Phi v) alpha^T - xi v^T    and    dL/dlambda = -v^T alpha.

In the primal form, with M = Phi Phi^T + lambda I and w = M^-1 (g - Phi h / lambda):
v = Phi^T w + h / lambda, g - Phi v = lambda w, and lambda alpha = 1 - Phi^T xi.

In forward mode, with the tangents P of Phi and l of lambda,

    d alpha = -A^-1 (P^T xi + Phi^T P alpha + l alpha),    d xi = P alpha + Phi d alpha,

and in the primal form d xi = M^-1 (lambda P alpha - Phi P^T xi - l xi) and
d alpha = -(P^T xi + Phi^T d xi + l alpha) / lambda.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function, forward_ad

from dgmp.pooling.forward_mode import refuse_nested_forward_mode
from dgmp.pooling.ridge_system import (
    dot,
    is_dual,
    is_refined,
    solution_of,
    solve_with_factor,
    times,
    two_outer,
)


def solve_ridge(phi: Tensor, lambda_: Tensor) -> tuple[Tensor, Tensor]:
    """Pooled descriptors xi and weights alpha with xi = Phi alpha, differentiable at will.

    Args:
        phi: Descriptors, (B, D, N), float32 or float64.
        lambda_: Ridge parameter, () or (B, 1, 1), of the same type.

    Returns:
        xi (B, D, 1) and alpha (B, N, 1).
    """
    transformed = torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()
    xi, alpha, _ = (_transformable(_Ridge) if transformed else _PlainRidge).apply(phi, lambda_)
    return xi, alpha


def without_autocast(device: torch.device) -> AbstractContextManager[None]:
    """Turns autocast off where it is on; a device like meta has none to turn off."""
    if not torch._C._is_any_autocast_enabled():
        return nullcontext()
    kind = device.type
    # The compiler of PyTorch 2.8 cannot trace the first question; it compiles for real devices.
    available = torch.compiler.is_compiling() or torch.amp.is_autocast_available(kind)
    if available and torch.is_autocast_enabled(kind):
        return torch.autocast(kind, enabled=False)
    return nullcontext()


def _tangents(
    phi: Tensor,
    lambda_: Tensor,
    xi: Tensor,
    alpha: Tensor,
    factor: Tensor,
    d_phi: Tensor | None,
    d_lambda: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Tangents of xi and alpha from those of phi and lambda, one of which there is."""
    along_alpha = torch.zeros_like(xi) if d_phi is None else times(d_phi, alpha)
    along_xi = torch.zeros_like(alpha) if d_phi is None else times(d_phi.mT, xi)
    slope = 0 if d_lambda is None else d_lambda
    with without_autocast(phi.device):
        if is_dual(phi):
            b = along_xi + times(phi.mT, along_alpha) + slope * alpha
            d_alpha = -_SolveForward.apply(phi, lambda_, b, factor, False)
            return along_alpha + times(phi, d_alpha), d_alpha
        b = lambda_ * along_alpha - times(phi, along_xi) - slope * xi
        d_xi: Tensor = _SolveForward.apply(phi.mT, lambda_, b, factor, is_refined(phi))
        return d_xi, -(along_xi + times(phi.mT, d_xi) + slope * alpha) / lambda_


def _gradients(
    phi: Tensor,
    lambda_: Tensor,
    xi: Tensor,
    alpha: Tensor,
    factor: Tensor,
    g: Tensor,
    h: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Gradients in phi and lambda from those of xi, g, and of alpha, h."""
    # The plain one takes the factor for a constant, and is for values alone.
    derived = torch.is_grad_enabled() or forward_ad._current_level >= 0
    solve = _transformable(_Solve).apply if derived else solve_with_factor
    with without_autocast(phi.device):
        if is_dual(phi):
            b = times(phi.mT, g)
            minus_v = -solve(phi, lambda_, b if h is None else b + h, factor, False)
            residual = g + times(phi, minus_v)
            slope = dot(minus_v, alpha, lambda_)
        else:
            b = g if h is None else g - times(phi, h) / lambda_
            w = solve(phi.mT, lambda_, b, factor, is_refined(phi))
            minus_w = -w
            residual = lambda_ * w
            minus_v = times(phi.mT, minus_w)
            slope = dot(minus_w, xi, lambda_)  # not v^T alpha, whose terms cancel
            if h is not None:
                minus_v = minus_v - h / lambda_
                slope = slope - dot(h, alpha, lambda_) / lambda_
        return two_outer(residual, alpha, xi, minus_v, phi), slope


# A compiler cannot trace the retry of a factorization, which depends on the data, and would trace
# the products of the backward pass as the surrounding autocast wants them.
_opaque_solution = torch.library.custom_op("dgmp::ridge", solution_of, mutates_args=())
_opaque_gradients = torch.library.custom_op("dgmp::ridge_gradients", _gradients, mutates_args=())


@_opaque_solution.register_fake
def _(phi: Tensor, lambda_: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    batch, depth, locations = phi.shape
    n = locations if is_dual(phi) else depth
    factor = phi.new_empty(batch, n, n).mT
    return phi.new_empty(batch, depth, 1), phi.new_empty(batch, locations, 1), factor


@_opaque_gradients.register_fake
def _(
    phi: Tensor, lambda_: Tensor, xi: Tensor, alpha: Tensor, *_: Tensor | None
) -> tuple[Tensor, Tensor]:
    return two_outer(xi, alpha, xi, alpha, phi), torch.empty_like(lambda_)


def _opaque() -> bool:
    return torch.compiler.is_compiling() and not torch.compiler.is_exporting()


class _Ridge(Function):
    """(phi, lambda) -> (xi, alpha, factor), see `solve_ridge`."""

    @staticmethod
    def forward(phi: Tensor, lambda_: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output: tuple[Tensor, Tensor, Tensor]
        output = (_opaque_solution if _opaque() else solution_of)(phi, lambda_)
        return output

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        xi, alpha, factor = output
        ctx.mark_non_differentiable(factor)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs, xi, alpha, factor)

    @staticmethod
    def backward(
        ctx: Any, g: Tensor | None, h: Tensor | None, _: Any
    ) -> tuple[Tensor | None, Tensor | None]:
        if g is None and h is None:
            return None, None
        phi, lambda_, xi, alpha, factor = ctx.saved_tensors
        if g is None:
            g = torch.zeros_like(xi)
        gradients: tuple[Tensor, Tensor]
        gradients = (_opaque_gradients if _opaque() else _gradients)(
            phi, lambda_, xi, alpha, factor, g, h
        )
        return gradients

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Tensor) -> tuple[Any, Any]:
        outputs = _transformable(_Ridge).apply(*_fold(info, in_dims, inputs))
        return tuple(_unfold(info, x) for x in outputs), (0, 0, 0)


class _RidgeForward(_Ridge):
    """With a forward mode, which a compiler refuses."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        _Ridge.setup_context(ctx, inputs, output)
        ctx.save_for_forward(*inputs, *output)

    @staticmethod
    def jvp(
        ctx: Any, d_phi: Tensor | None, d_lambda: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        refuse_nested_forward_mode()
        phi, lambda_, xi, alpha, factor = ctx.saved_tensors
        return *_tangents(phi, lambda_, xi, alpha, factor, d_phi, d_lambda), None


class _PlainRidge(_RidgeForward):
    """The same for plain autograd: small systems take less time than what torch.func needs."""

    setup_context = staticmethod(Function.setup_context)

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, phi: Tensor, lambda_: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        output = _Ridge.forward(phi, lambda_)
        _RidgeForward.setup_context(ctx, (phi, lambda_), output)
        return output


class _Solve(Function):
    """(x, ridge, b, factor, refine) -> (X^T X + ridge I)^-1 b; the factor is constant."""

    forward = staticmethod(solve_with_factor)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, ridge, _, factor, ctx.refine = inputs
        ctx.save_for_backward(x, ridge, factor, output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        x, ridge, factor, solution = ctx.saved_tensors
        w = _transformable(_Solve).apply(x, ridge, g, factor, ctx.refine)
        grad_x = -two_outer(times(x, w), solution, times(x, solution), w, x)
        return grad_x, -dot(w, solution, ridge), w, None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Any, Any]:
        solve = _transformable(_Solve).apply
        return _unfold(info, solve(*_fold(info, in_dims, inputs[:-1]), inputs[-1])), 0


class _SolveForward(_Solve):
    """With a forward mode, which a compiler refuses."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _Solve.setup_context(ctx, inputs, output)
        x, ridge, _, factor, _ = inputs
        ctx.save_for_forward(x, ridge, factor, output)

    @staticmethod
    def jvp(
        ctx: Any, d_x: Tensor | None, d_ridge: Tensor | None, d_b: Tensor | None, *_: Any
    ) -> Tensor:
        refuse_nested_forward_mode()
        x, ridge, factor, solution = ctx.saved_tensors
        change = torch.zeros_like(solution) if d_b is None else d_b
        if d_x is not None:
            change = change - times(d_x.mT, times(x, solution))
            change = change - times(x.mT, times(d_x, solution))
        if d_ridge is not None:
            change = change - d_ridge * solution
        tangent: Tensor = _SolveForward.apply(x, ridge, change, factor, ctx.refine)
        return tangent


def _transformable(function: type[_Ridge | _Solve]) -> type[Function]:
    """The one with a forward mode, except for a compiler."""
    if torch.compiler.is_compiling():
        return function
    return _RidgeForward if function is _Ridge else _SolveForward


def _fold(info: Any, in_dims: tuple[int | None, ...], inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """One batch of all that is mapped over and of the samples in it; the second is a lambda."""
    size = info.batch_size
    mapped = [
        (x.unsqueeze(0).expand(size, *x.shape) if dim is None else x.movedim(dim, 0))
        for x, dim in zip(inputs, in_dims, strict=False)
    ]
    mapped[1] = mapped[1].reshape(size, -1, 1, 1).expand(*mapped[0].shape[:2], 1, 1)
    return [x.flatten(0, 1) for x in mapped]


def _unfold(info: Any, x: Tensor) -> Tensor:
    return x.unflatten(0, (info.batch_size, -1))

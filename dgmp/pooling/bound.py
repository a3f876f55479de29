"""A lower bound that a parameter can come back from."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from dgmp.pooling.forward_mode import refuse_nested_forward_mode
from dgmp.pooling.tracing import Proxy, fx_node


def lower_bound(x: Tensor, floor: float) -> Tensor:
    """max(x, floor), whose gradient passes unless it would push x further below the floor.

    So the optimizer's steps above the floor are its own, and x is never stuck below it, as it
    were with `clamp`.

    Examples:
        >>> import torch
        >>> x = torch.tensor(-1.0, requires_grad=True)
        >>> (-3 * lower_bound(x, 0.5)).backward()
        >>> x.grad
        tensor(-3.)
    """
    if isinstance(x, Proxy):
        return fx_node(lower_bound, x, floor)
    function = _LowerBound if torch.compiler.is_compiling() else _LowerBoundForward
    bounded: Tensor = function.apply(x, floor)
    return bounded


class _LowerBound(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, floor: float) -> Tensor:
        return x.clamp(min=floor)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: Tensor) -> None:
        x, ctx.floor = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return g * ((x >= ctx.floor) | (g < 0)), None


class _LowerBoundForward(_LowerBound):
    """With a forward mode, which a compiler refuses."""

    generate_vmap_rule = True

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:
        refuse_nested_forward_mode()
        # In forward mode there is no step to tell apart: as above the bound, everywhere.
        return tangent.clone()

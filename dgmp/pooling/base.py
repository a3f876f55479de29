"""What global pooling layers share: the layout of the input, its mask, and a learned parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from dgmp.pooling.bound import lower_bound
from dgmp.pooling.tracing import Proxy, fx_node


class GlobalPooling(nn.Module):
    """What the layers share: the layout of the input, its mask, and one learned value or none.

    Args:
        channels_last: Whether the input is (B, *spatial, D), as are the tokens (B, N, D) of a
            vision transformer, instead of (B, D, *spatial).
    """

    def __init__(self, *, channels_last: bool = False) -> None:
        super().__init__()
        self.channels_last = channels_last

    @property
    def value(self) -> Tensor | None:
        """The layer's own parameter as it is used, a scalar in its own unit; None without one."""
        return None

    def forward(self, x: Tensor, *, mask: Tensor | None = None) -> Tensor:
        """Pool x; a boolean mask (B, *spatial) is true at the locations that count.

        Raises:
            ValueError: x has fewer than three axes or an empty one, or is not floating point; the
                mask does not fit, or leaves a sample without location.
        """
        phi, mask, _ = flatten_locations(x, mask, channels_last=self.channels_last)
        return self._pool(phi, mask)

    def _pool(self, phi: Tensor, mask: Tensor | None) -> Tensor:
        """(B, D, N) and (B, N) -> (B, D)."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        return "channels_last=True" if self.channels_last else ""


class ParametricPooling(GlobalPooling):
    """A pooling with one parameter, learned raw and in its own unit, as in the paper.

    The layer computes with the parameter or its floor, whichever is larger. Above the floor the
    updates are the plain ones of the optimizer, see `dgmp.pooling.bound.lower_bound`.
    """

    name: ClassVar[str]
    """Of the parameter, in the attributes and in the state dict."""

    def __init__(
        self, initial: float, *, floor: float, learnable: bool, channels_last: bool
    ) -> None:
        super().__init__(channels_last=channels_last)
        dtype = torch.promote_types(torch.get_default_dtype(), torch.float32)
        start = torch.tensor(float(initial), dtype=dtype)
        if not floor <= initial <= torch.finfo(dtype).max:
            raise ValueError(
                f"{self.name.rstrip('_')}_init must be at least {floor:g} and finite in {dtype}, "
                f"got {initial}"
            )
        self.floor = floor
        self.register_parameter(self.name, nn.Parameter(start, requires_grad=learnable))

    @property
    def value(self) -> Tensor:
        return lower_bound(getattr(self, self.name), self.floor)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # `.half()` must not touch the parameter: float16 ends at 65504, below usual lambdas.
        parameter = self.get_parameter(self.name)
        before = parameter.detach()
        gradient = None if parameter.grad is None else parameter.grad.detach()
        super()._apply(fn, recurse)
        parameter = self.get_parameter(self.name)
        if parameter.dtype in (torch.float16, torch.bfloat16):
            parameter.grad = None  # of the type that the parameter no longer has
            parameter.data = before.to(parameter.device)
            parameter.grad = None if gradient is None else gradient.to(parameter.device)
        return self

    def extra_repr(self) -> str:
        parameter = self.get_parameter(self.name)
        shown = "meta" if parameter.is_meta else f"{self.value.item():g}"
        own = f"{self.name.rstrip('_')}={shown}, learnable={parameter.requires_grad}"
        return ", ".join(filter(None, [own, super().extra_repr()]))


def flatten_locations(
    x: Tensor, mask: Tensor | None, *, channels_last: bool
) -> tuple[Tensor, Tensor | None, tuple[int, ...]]:
    """Descriptors (B, D, N), mask (B, N), and the spatial shape."""
    if isinstance(x, Proxy) or isinstance(mask, Proxy):
        return fx_node(flatten_locations, x, mask, channels_last=channels_last)
    if x.ndim < 3:
        layout = "(B, *spatial, D)" if channels_last else "(B, D, *spatial)"
        raise ValueError(f"x must be {layout}, got {tuple(x.shape)}")
    spatial = tuple(x.shape[1:-1] if channels_last else x.shape[2:])
    if mask is not None:
        if tuple(mask.shape) != (x.shape[0], *spatial):
            raise ValueError(
                f"mask must be {(x.shape[0], *spatial)} for x {tuple(x.shape)}, "
                f"got {tuple(mask.shape)}"
            )
        mask = mask.flatten(start_dim=1)
    phi = x.flatten(1, -2).mT if channels_last else x.flatten(start_dim=2)
    return phi, mask, spatial

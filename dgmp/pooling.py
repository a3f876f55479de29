"""Global pooling layers, (B, D, H, W) or any number of spatial axes -> (B, D)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from dgmp import functional


class GlobalPooling(nn.Module):
    """What the layers share: flattening of the spatial axes and the check of the shape."""

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim < 3:
            raise ValueError(f"x must be (B, D, *spatial), got {tuple(x.shape)}")
        return self.pool(x.flatten(start_dim=2))

    def pool(self, phi: Tensor) -> Tensor:
        """(B, D, N) -> (B, D)."""
        raise NotImplementedError


class BoundedPooling(GlobalPooling):
    """A pooling with one learned parameter kept above a floor.

    While the parameter is above the floor its updates are the plain ones of the optimizer.
    Below it the layer computes with the floor, and the gradient still reaches the parameter, so
    that it can come back.
    """

    def __init__(self, value: float, *, floor: float, learnable: bool) -> None:
        super().__init__()
        if not value >= floor:
            raise ValueError(f"the initial value must be at least {floor:g}, got {value}")
        self.floor = floor
        self.parameter = nn.Parameter(torch.tensor(float(value)), requires_grad=learnable)

    @property
    def value(self) -> Tensor:
        """The parameter as the layer uses it, at least the floor; a scalar in its own unit."""
        return self.parameter + (self.floor - self.parameter).clamp(min=0).detach()


class DGMP(BoundedPooling):
    """Deep generalized max pooling with a learned lambda, Eqs. 5-9 and section III-B.

    Args:
        lambda_init: Ridge parameter at the start.
        learnable: Whether lambda is a parameter that training changes.
        normalize: Whether each output vector is scaled to unit l2 norm, as in the paper.
        floor: Lambda never gets below it, whatever the optimizer does.

    Shape:
        Input (B, D, *spatial), output (B, D).

    Examples:
        >>> import torch
        >>> pool = DGMP(lambda_init=1000.0)
        >>> pool(torch.rand(2, 64, 7, 7)).shape
        torch.Size([2, 64])
        >>> pool
        DGMP(lambda=1000, learnable=True, normalize=True)
    """

    def __init__(
        self,
        lambda_init: float = 1000.0,
        *,
        learnable: bool = True,
        normalize: bool = True,
        floor: float = 1e-3,
    ) -> None:
        super().__init__(lambda_init, floor=floor, learnable=learnable)
        self.normalize = normalize

    def pool(self, phi: Tensor) -> Tensor:
        pooled = functional.generalized_max_pool(phi, self.value)
        return normalize(pooled, dim=1) if self.normalize else pooled

    def extra_repr(self) -> str:
        learnable = self.parameter.requires_grad
        return f"lambda={self.value.item():g}, {learnable=}, normalize={self.normalize}"


class AveragePooling(GlobalPooling):
    """Mean over the locations; with `normalize` the output has unit l2 norm (section IV-C.2)."""

    def __init__(self, *, normalize: bool = False) -> None:
        super().__init__()
        self.normalize = normalize

    def pool(self, phi: Tensor) -> Tensor:
        pooled = functional.average_pool(phi)
        return normalize(pooled, dim=1) if self.normalize else pooled

    def extra_repr(self) -> str:
        return f"normalize={self.normalize}"


class SumPooling(GlobalPooling):
    """Sum over the locations, Eq. 3."""

    def pool(self, phi: Tensor) -> Tensor:
        return functional.sum_pool(phi)


class MaxPooling(GlobalPooling):
    """Maximum over the locations."""

    def pool(self, phi: Tensor) -> Tensor:
        return functional.max_pool(phi)


class MixedPooling(GlobalPooling):
    """Learned mixture of maximum and mean, Eq. 1; alpha is free, as in the paper."""

    def __init__(self, alpha_init: float = 0.5, *, learnable: bool = True) -> None:
        super().__init__()
        self.parameter = nn.Parameter(torch.tensor(float(alpha_init)), requires_grad=learnable)

    def pool(self, phi: Tensor) -> Tensor:
        return functional.mixed_pool(phi, self.parameter)

    def extra_repr(self) -> str:
        return f"alpha={self.parameter.item():g}"


class LogSumExpPooling(BoundedPooling):
    """Log-sum-exp with a learned r, Eq. 2."""

    def __init__(
        self, r_init: float = 10.0, *, learnable: bool = True, floor: float = 1e-3
    ) -> None:
        super().__init__(r_init, floor=floor, learnable=learnable)

    def pool(self, phi: Tensor) -> Tensor:
        return functional.log_sum_exp_pool(phi, self.value)

    def extra_repr(self) -> str:
        return f"r={self.value.item():g}"


class GeneralizedMeanPooling(BoundedPooling):
    """GeM with a learned exponent p (Radenović et al. 2018)."""

    def __init__(self, p_init: float = 3.0, *, learnable: bool = True, floor: float = 1.0) -> None:
        super().__init__(p_init, floor=floor, learnable=learnable)

    def pool(self, phi: Tensor) -> Tensor:
        return functional.generalized_mean_pool(phi, self.value)

    def extra_repr(self) -> str:
        return f"p={self.value.item():g}"


def average_l2(**settings: Any) -> AveragePooling:
    """Average pooling with output of unit l2 norm."""
    return AveragePooling(normalize=True, **settings)


POOLINGS: dict[str, Callable[..., GlobalPooling]] = {
    "avg": AveragePooling,
    "avg_l2": average_l2,
    "dgmp": DGMP,
    "gem": GeneralizedMeanPooling,
    "lse": LogSumExpPooling,
    "max": MaxPooling,
    "mixed": MixedPooling,
    "sum": SumPooling,
}
"""The poolings by name."""


def build_pooling(name: str, **settings: Any) -> GlobalPooling:
    """The pooling layer of that name.

    Args:
        name: One of `POOLINGS`.
        settings: Keyword arguments of the layer.

    Raises:
        ValueError: there is no pooling of that name; the message lists those there are.

    Examples:
        >>> build_pooling("dgmp", lambda_init=5000.0)
        DGMP(lambda=5000, learnable=True, normalize=True)
    """
    if name not in POOLINGS:
        raise ValueError(f"no pooling {name!r}; there are: {', '.join(POOLINGS)}")
    return POOLINGS[name](**settings)

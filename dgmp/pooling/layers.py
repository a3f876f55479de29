"""Global pooling layers, (B, D, H, W) or any number of spatial axes -> (B, D)."""

from __future__ import annotations

from typing import Literal, overload

import torch
from torch import Tensor

from dgmp.pooling import functional
from dgmp.pooling.base import GlobalPooling, ParametricPooling, flatten_locations
from dgmp.pooling.tracing import Proxy, fx_node


class DGMP(ParametricPooling):
    """Deep generalized max pooling with a learned lambda, Eqs. 5-9 and section III-B.

    Args:
        lambda_init: Ridge parameter at the start; by default 1000, or 1 if it is relative.
        learnable: Whether lambda is a parameter that training changes.
        normalize: Whether each output vector is scaled to unit l2 norm, as in the paper.
        floor: Lambda is never used below it, whatever the optimizer does.
        channels_last: Whether the input is (B, *spatial, D), for example tokens (B, N, D).
        cg_iterations: Solve by so many steps of conjugate gradients instead of Cholesky. An
            export to ONNX does so by itself; set this where its default is too few or too many.
        relative: Whether lambda is in units of the energy of each sample, the mean squared norm of
            its descriptors. Then the scale of the activations does not change what lambda does.

    Raises:
        ValueError: the floor is not positive, lambda_init is below it or not finite in float32,
            or cg_iterations is not positive.

    Shape:
        Input (B, D, *spatial), output (B, D), in the type of the input. (Without `normalize`
        entries may be too small for float16.)

    Examples:
        >>> import torch
        >>> pool = DGMP(lambda_init=1000.0)
        >>> pool(torch.rand(2, 64, 7, 7)).shape
        torch.Size([2, 64])
        >>> descriptor, alpha = pool(torch.rand(2, 64, 7, 7), return_weights=True)
        >>> alpha.shape
        torch.Size([2, 7, 7])
        >>> DGMP(channels_last=True)(torch.rand(2, 49, 64)).shape
        torch.Size([2, 64])
        >>> pool
        DGMP(lambda=1000, learnable=True, normalize=True)
        >>> DGMP(relative=True)
        DGMP(lambda=1, learnable=True, normalize=True, relative=True)
    """

    name = "lambda_"

    def __init__(
        self,
        lambda_init: float | None = None,
        *,
        learnable: bool = True,
        normalize: bool = True,
        floor: float = 1e-3,
        channels_last: bool = False,
        cg_iterations: int | None = None,
        relative: bool = False,
    ) -> None:
        if lambda_init is None:
            lambda_init = 1.0 if relative else 1000.0
        if not floor > 0:
            raise ValueError(f"floor must be positive, got {floor}")
        if cg_iterations is not None and cg_iterations < 1:
            raise ValueError(f"cg_iterations must be positive, got {cg_iterations}")
        super().__init__(lambda_init, floor=floor, learnable=learnable, channels_last=channels_last)
        self.normalize = normalize
        self.cg_iterations = cg_iterations
        self.relative = relative

    @overload
    def forward(
        self,
        x: Tensor,
        *,
        mask: Tensor | None = None,
        lambda_: Tensor | float | None = None,
        return_weights: Literal[False] = False,
    ) -> Tensor: ...

    @overload
    def forward(
        self,
        x: Tensor,
        *,
        mask: Tensor | None = None,
        lambda_: Tensor | float | None = None,
        return_weights: Literal[True],
    ) -> tuple[Tensor, Tensor]: ...

    @overload
    def forward(
        self,
        x: Tensor,
        *,
        mask: Tensor | None = None,
        lambda_: Tensor | float | None = None,
        return_weights: bool,
    ) -> Tensor | tuple[Tensor, Tensor]: ...

    def forward(
        self,
        x: Tensor,
        *,
        mask: Tensor | None = None,
        lambda_: Tensor | float | None = None,
        return_weights: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Pool x.

        Args:
            x: Activations, (B, D, *spatial), or (B, *spatial, D) with `channels_last`.
            mask: True at the locations that count, (B, *spatial).
            lambda_: Used in this call instead of the layer's own; a number, () or (B,), relative if
                the layer's own is.
            return_weights: Whether to return the weights too.

        Returns:
            Descriptors, (B, D); with `return_weights` also alpha, (B, *spatial), the weight of
            each location in the sum before it is normalised, at least in float32.

        Raises:
            ValueError: as `dgmp.pooling.functional.generalized_max_pool`.
        """
        return _descriptors(
            x,
            self.value,
            lambda_,
            mask=mask,
            return_weights=return_weights,
            normalize=self.normalize,
            channels_last=self.channels_last,
            cg_iterations=self.cg_iterations,
            relative=self.relative,
        )

    def extra_repr(self) -> str:
        iterations = self.cg_iterations
        return (
            f"{super().extra_repr()}, normalize={self.normalize}"
            f"{'' if iterations is None else f', cg_iterations={iterations}'}"
            f"{', relative=True' if self.relative else ''}"
        )


class AveragePooling(GlobalPooling):
    """Mean over the locations; with `normalize` the output has unit l2 norm (section IV-C.2)."""

    def __init__(self, *, normalize: bool = False, channels_last: bool = False) -> None:
        super().__init__(channels_last=channels_last)
        self.normalize = normalize

    def _pool(self, phi: Tensor, mask: Tensor | None) -> Tensor:
        pooled = functional.average_pool(phi, mask=mask)
        return _unit(pooled).to(phi.dtype) if self.normalize else pooled

    def extra_repr(self) -> str:
        return ", ".join(filter(None, [f"normalize={self.normalize}", super().extra_repr()]))


class SumPooling(GlobalPooling):
    """Sum over the locations, Eq. 3."""

    def _pool(self, phi: Tensor, mask: Tensor | None) -> Tensor:
        return functional.sum_pool(phi, mask=mask)


class MaxPooling(GlobalPooling):
    """Maximum over the locations."""

    def _pool(self, phi: Tensor, mask: Tensor | None) -> Tensor:
        return functional.max_pool(phi, mask=mask)


class MixedPooling(ParametricPooling):
    """Learned mixture of maximum and mean, Eq. 1; alpha is free, as in the paper."""

    name = "alpha"

    def __init__(
        self, alpha_init: float = 0.5, *, learnable: bool = True, channels_last: bool = False
    ) -> None:
        super().__init__(
            alpha_init, floor=-float("inf"), learnable=learnable, channels_last=channels_last
        )

    def _pool(self, phi: Tensor, mask: Tensor | None) -> Tensor:
        return functional.mixed_pool(phi, self.value, mask=mask)


class LogSumExpPooling(ParametricPooling):
    """Log-sum-exp with a learned r, Eq. 2."""

    name = "r"

    def __init__(
        self,
        r_init: float = 10.0,
        *,
        learnable: bool = True,
        floor: float = 1e-3,
        channels_last: bool = False,
    ) -> None:
        super().__init__(r_init, floor=floor, learnable=learnable, channels_last=channels_last)

    def _pool(self, phi: Tensor, mask: Tensor | None) -> Tensor:
        return functional.log_sum_exp_pool(phi, self.value, mask=mask)


class GeneralizedMeanPooling(ParametricPooling):
    """GeM with a learned exponent p (Radenović et al. 2018)."""

    name = "p"

    def __init__(
        self,
        p_init: float = 3.0,
        *,
        learnable: bool = True,
        floor: float = 1.0,
        channels_last: bool = False,
    ) -> None:
        super().__init__(p_init, floor=floor, learnable=learnable, channels_last=channels_last)

    def _pool(self, phi: Tensor, mask: Tensor | None) -> Tensor:
        return functional.generalized_mean_pool(phi, self.value, mask=mask)


def _descriptors(
    x: Tensor,
    own_lambda: Tensor,
    lambda_: Tensor | float | None,
    *,
    mask: Tensor | None,
    return_weights: bool,
    normalize: bool,
    channels_last: bool,
    cg_iterations: int | None,
    relative: bool,
) -> Tensor | tuple[Tensor, Tensor]:
    """What `DGMP.forward` returns: one node, since its type depends on `return_weights`."""
    if isinstance(x, Proxy) or isinstance(own_lambda, Proxy):
        return fx_node(
            _descriptors,
            x,
            own_lambda,
            lambda_,
            mask=mask,
            return_weights=return_weights,
            normalize=normalize,
            channels_last=channels_last,
            cg_iterations=cg_iterations,
            relative=relative,
        )
    phi, mask, spatial = flatten_locations(x, mask, channels_last=channels_last)
    found = functional.generalized_max_pool(
        phi,
        own_lambda if lambda_ is None else lambda_,
        mask=mask,
        return_weights=return_weights,
        cg_iterations=cg_iterations,
        relative=relative,
    )
    pooled, alpha = found if isinstance(found, tuple) else (found, None)
    pooled = (_unit(pooled) if normalize else pooled).to(x.dtype)
    return pooled if alpha is None else (pooled, alpha.unflatten(1, spatial))


def _unit(x: Tensor) -> Tensor:
    """(B, D) scaled to unit l2 norm, at least in float32; zeros stay zeros, without a gradient."""
    if isinstance(x, Proxy):
        return fx_node(_unit, x)
    x = x if x.dtype == torch.float64 else x.float()
    norm = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return x / norm.masked_fill(norm == 0, torch.inf)

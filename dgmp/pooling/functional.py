"""Global poolings as pure functions on descriptors `phi` of shape (B, D, N).

B samples, D activation maps, N locations; every function returns (B, D). A boolean mask (B, N) is
true at the locations that count, so that masked pooling equals pooling of what the mask leaves.
Equation numbers are those of Christlein et al., Deep Generalized Max Pooling, ICDAR 2019.
"""

from __future__ import annotations

import math
from typing import Literal, overload

import torch
from torch import Tensor

from dgmp.pooling.conjugate_gradients import ONNX_ITERATIONS, solve_ridge_iteratively
from dgmp.pooling.ridge import solve_ridge, without_autocast
from dgmp.pooling.ridge_parameter import mean_energy, relative_to_energy, ridge_parameter
from dgmp.pooling.tracing import Proxy, fx_node

# Limits of the r that log-sum-exp computes with: not measured, but far from 0 / 0 and from infinity
# times 0, which r = 0 and infinity would give.
SMALLEST_R = 1e-30
LARGEST_R = 1e30

# Mean of exp(r (x - max)) - 1 above which its log1p is taken, not the logarithm of the mean of
# exp(r (x - max)). In float32, 100 uniform locations: both err by 3e-7 at -0.45, log1p by 2e-6 at
# -0.97, the logarithm by 4e-6 at -0.05.
LOG1P_ABOVE = -0.5


@overload
def generalized_max_pool(
    phi: Tensor,
    lambda_: Tensor | float,
    *,
    mask: Tensor | None = None,
    return_weights: Literal[False] = False,
    cg_iterations: int | None = None,
    relative: bool = False,
) -> Tensor: ...


@overload
def generalized_max_pool(
    phi: Tensor,
    lambda_: Tensor | float,
    *,
    mask: Tensor | None = None,
    return_weights: Literal[True],
    cg_iterations: int | None = None,
    relative: bool = False,
) -> tuple[Tensor, Tensor]: ...


@overload
def generalized_max_pool(
    phi: Tensor,
    lambda_: Tensor | float,
    *,
    mask: Tensor | None = None,
    return_weights: bool,
    cg_iterations: int | None = None,
    relative: bool = False,
) -> Tensor | tuple[Tensor, Tensor]: ...


def generalized_max_pool(
    phi: Tensor,
    lambda_: Tensor | float,
    *,
    mask: Tensor | None = None,
    return_weights: bool = False,
    cg_iterations: int | None = None,
    relative: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    r"""Weighted sum in which frequent and rare descriptors count alike, Eqs. 5-9.

    Solves the ridge regression
    :math:`\xi = \mathrm{argmin}_\xi \|\Phi^T\xi - 1_N\|^2 + \lambda\|\xi\|^2` for each sample:
    in its dual form :math:`\xi = \Phi\alpha, (\Phi^T\Phi + \lambda I_N)\alpha = 1_N` (Eq. 9) if
    N <= D, else in its primal form :math:`(\Phi\Phi^T + \lambda I_D)\xi = \Phi 1_N`, by Cholesky.
    Derivatives of any order are exact, and cost O(ND) beyond the factorization; in forward mode of
    the first order, and of the second one as jacfwd(jacrev(f)) or jacrev(jacfwd(f)).

    The system is made and solved in float32, or in float64 for float64 input, also under
    autocast. (`torch.set_float32_matmul_precision` other than "highest" loosens that.) The
    relative error of the result is below max(N, D) times the machine precision times the condition
    number, which is at most 1 + ||Phi||^2 / lambda; see docs/numerics.md for how far. A sample
    whose system cannot be factorized is retried with a `NumericalWarning`, see
    `dgmp.pooling.cholesky`, and its weights are not exact; a sample with a NaN gives NaN and spoils
    no other.

    Args:
        phi: Descriptors, (B, D, N), floating point.
        lambda_: Ridge parameter, positive; a number, or a tensor (), (1,), or (B,) for one a
            sample.
        mask: True at the locations that count, (B, N). That each sample has one is not checked
            under the transforms of `torch.func`; elsewhere the check waits for the device.
        return_weights: Whether to return the weights alpha too.
        cg_iterations: Solve by so many steps of conjugate gradients instead, see
            `dgmp.pooling.conjugate_gradients`. An export to ONNX, which has no Cholesky, does so
            with `ONNX_ITERATIONS` if this is None.
        relative: Whether each sample is solved with lambda times its energy, trace(Phi^T Phi) / N
            over its N unmasked locations. Then xi of c Phi is xi of Phi divided by c, and the
            condition number is at most 1 + N / lambda. Gradients flow through the energy. A sample
            of zeros is solved with lambda itself.

    Returns:
        Pooled descriptors xi, (B, D), not normalised; with `return_weights` also alpha, (B, N),
        zero where masked. Both are float32 for half-precision input, since entries of xi may be
        too small for float16.

    Raises:
        ValueError: phi is not (B, D, N), is empty or not floating point; mask does not fit or
            leaves a sample without location; lambda_ has another shape, or is a number that is
            not positive (the elements of a tensor are not looked at).

    Examples:
        >>> phi = torch.tensor([[[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])  # the first twice
        >>> xi, alpha = generalized_max_pool(phi, 0.001, return_weights=True)
        >>> xi  # close to (1, 1): both count once
        tensor([[0.9995, 0.9990]])
        >>> alpha
        tensor([[0.4997, 0.4997, 0.9990]])
        >>> sum_pool(phi)
        tensor([[2., 1.]])
    """
    if isinstance(phi, Proxy) or isinstance(lambda_, Proxy) or isinstance(mask, Proxy):
        return fx_node(
            generalized_max_pool,
            phi,
            lambda_,
            mask=mask,
            return_weights=return_weights,
            cg_iterations=cg_iterations,
            relative=relative,
        )
    phi = _zero_outside(phi, mask)
    with without_autocast(phi.device):
        phi = _at_least_single(phi)
        ridge = ridge_parameter(lambda_, phi)
        if relative:
            ridge = relative_to_energy(ridge, mean_energy(phi, mask))
        exporting = torch.compiler.is_exporting() and torch.onnx.is_in_onnx_export()
        if cg_iterations is None and exporting:
            cg_iterations = ONNX_ITERATIONS
        if cg_iterations is None:
            xi, alpha = solve_ridge(phi, ridge)
        else:
            xi, alpha = solve_ridge_iteratively(phi, ridge, cg_iterations)
    # Copies may be changed in place, as by nn.ReLU(inplace=True); views of a solution may not.
    xi = torch.squeeze_copy(xi, 2)
    if not return_weights:
        return xi
    alpha = torch.squeeze_copy(alpha, 2)
    return xi, alpha if mask is None else alpha.masked_fill(~mask, 0)


def average_pool(phi: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Mean over the locations: (B, D, N) -> (B, D)."""
    if isinstance(phi, Proxy) or isinstance(mask, Proxy):
        return fx_node(average_pool, phi, mask=mask)
    phi = _zero_outside(phi, mask)
    if mask is None:
        return phi.mean(dim=2)
    total = _at_least_single(phi).sum(dim=2)
    return (total / mask.sum(dim=1, keepdim=True)).to(phi.dtype)


def sum_pool(phi: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Sum over the locations, Eq. 3: (B, D, N) -> (B, D)."""
    if isinstance(phi, Proxy) or isinstance(mask, Proxy):
        return fx_node(sum_pool, phi, mask=mask)
    return _zero_outside(phi, mask).sum(dim=2)


def max_pool(phi: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Maximum over the locations: (B, D, N) -> (B, D). Ties share the gradient."""
    if isinstance(phi, Proxy) or isinstance(mask, Proxy):
        return fx_node(max_pool, phi, mask=mask)
    return _fill_outside(phi, mask, -math.inf).amax(dim=2)


def mixed_pool(phi: Tensor, alpha: Tensor | float, *, mask: Tensor | None = None) -> Tensor:
    """alpha times the maximum plus (1 - alpha) times the mean, Eq. 1: (B, D, N) -> (B, D)."""
    if isinstance(phi, Proxy) or isinstance(alpha, Proxy) or isinstance(mask, Proxy):
        return fx_node(mixed_pool, phi, alpha, mask=mask)
    return alpha * max_pool(phi, mask=mask) + (1 - alpha) * average_pool(phi, mask=mask)


def log_sum_exp_pool(phi: Tensor, r: Tensor | float, *, mask: Tensor | None = None) -> Tensor:
    """Smooth maximum, Eq. 2: (B, D, N) -> (B, D).

    r leads from the mean, its limit for 0, to the maximum, its limit for infinity; both may be
    given. The maximum is taken out before the exponential, so that large r does not overflow. The
    derivative in r is exact from r = 0.001 on; below, rounding takes it over.

    Raises:
        ValueError: r is a negative number (the elements of a tensor are not looked at); phi or
            the mask as in `generalized_max_pool`.
    """
    if isinstance(phi, Proxy) or isinstance(r, Proxy) or isinstance(mask, Proxy):
        return fx_node(log_sum_exp_pool, phi, r, mask=mask)
    if not isinstance(r, Tensor) and not r >= 0:
        raise ValueError(f"r must not be negative, got {r}")
    precise = _at_least_single(_fill_outside(phi, mask, -math.inf))
    r = torch.as_tensor(r, dtype=precise.dtype, device=phi.device).clamp(SMALLEST_R, LARGEST_R)
    largest = precise.amax(dim=2, keepdim=True).detach()
    distance = precise - largest
    if mask is not None:
        distance = distance.masked_fill(~mask[:, None], 0)  # no infinity times zero in dL/dr
    # exp - 1 keeps what is left of a small r, where exp alone is rounded to 1.
    exp_minus_1 = torch.expm1(r * distance)
    difference = average_pool(exp_minus_1, mask=mask)
    logarithm = torch.where(
        difference > LOG1P_ABOVE,
        torch.log1p(difference.clamp(min=LOG1P_ABOVE)),
        torch.log(average_pool(exp_minus_1 + 1, mask=mask)),
    )
    return (largest.squeeze(2) + logarithm / r).to(phi.dtype)


def generalized_mean_pool(
    phi: Tensor, p: Tensor | float, eps: float = 1e-6, *, mask: Tensor | None = None
) -> Tensor:
    """GeM, the p-th root of the mean p-th power (Radenović et al. 2018): (B, D, N) -> (B, D).

    Activations are taken to be at least eps, as after a ReLU. The maximum is taken out before
    the power, so that large p neither overflows nor vanishes.

    Raises:
        ValueError: p is a number that is not positive and finite (the elements of a tensor are not
            looked at); phi or the mask as in `generalized_max_pool`.
    """
    if isinstance(phi, Proxy) or isinstance(p, Proxy) or isinstance(mask, Proxy):
        return fx_node(generalized_mean_pool, phi, p, eps, mask=mask)
    if not isinstance(p, Tensor) and not 0 < p < math.inf:
        raise ValueError(f"p must be positive and finite, got {p}")
    precise = _at_least_single(_fill_outside(phi, mask, -math.inf)).clamp(min=eps)
    largest = precise.amax(dim=2, keepdim=True).detach()
    mean = average_pool((precise / largest).pow(p), mask=mask)
    return (largest.squeeze(2) * mean.pow(1 / p)).to(phi.dtype)


def _at_least_single(phi: Tensor) -> Tensor:
    return phi if phi.dtype == torch.float64 else phi.float()


def _zero_outside(phi: Tensor, mask: Tensor | None) -> Tensor:
    return _fill_outside(phi, mask, 0)


def _fill_outside(phi: Tensor, mask: Tensor | None, value: float) -> Tensor:
    """Check phi and the mask, and set what is masked to the value."""
    if phi.ndim != 3 or 0 in phi.shape[1:]:
        raise ValueError(f"phi must be (B, D, N) with D, N > 0, got {tuple(phi.shape)}")
    if not phi.is_floating_point():
        raise ValueError(f"phi must be floating point, got {phi.dtype}")
    if mask is None:
        return phi
    if mask.dtype != torch.bool or mask.shape != (phi.shape[0], phi.shape[2]):
        raise ValueError(
            f"mask must be boolean ({phi.shape[0]}, {phi.shape[2]}), "
            f"got {mask.dtype} {tuple(mask.shape)}"
        )
    some = mask.any(dim=1)
    if torch.compiler.is_compiling():
        torch._assert_async(some.all(), "the mask leaves a sample without location")
    elif mask.is_meta or torch._C._are_functorch_transforms_active():
        pass
    elif not bool(some.all()):
        empty = (~some).nonzero().squeeze(1).tolist()
        raise ValueError(f"the mask leaves no location of the samples {empty}")
    return phi.masked_fill(~mask[:, None], value)

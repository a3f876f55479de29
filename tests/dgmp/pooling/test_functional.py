"""Edges of generalized max pooling, masks, and the other poolings."""

import math

import pytest
import torch
from torch import Tensor

from dgmp.pooling import functional
from dgmp.pooling.functional import generalized_max_pool

POOLS = {
    "gmp": lambda phi, **mask: generalized_max_pool(phi, 2.0, **mask),
    "cg": lambda phi, **mask: generalized_max_pool(phi, 2.0, cg_iterations=20, **mask),
    "relative": lambda phi, **mask: generalized_max_pool(phi, 0.5, relative=True, **mask),
    "relative cg": lambda phi, **mask: generalized_max_pool(
        phi, 0.5, relative=True, cg_iterations=20, **mask
    ),
    "avg": functional.average_pool,
    "sum": functional.sum_pool,
    "max": functional.max_pool,
    "mixed": lambda phi, **mask: functional.mixed_pool(phi, 0.3, **mask),
    "lse": lambda phi, **mask: functional.log_sum_exp_pool(phi, 4.0, **mask),
    "gem": lambda phi, **mask: functional.generalized_mean_pool(phi, 3.0, **mask),
}


@pytest.fixture
def phi() -> Tensor:
    torch.manual_seed(0)
    return torch.rand(3, 6, 4, dtype=torch.float64)


@pytest.mark.parametrize("shape", [(1, 5, 1), (1, 1, 1), (1, 5, 3), (1, 3, 5)])
def test_copies_of_one_descriptor_have_a_closed_form(shape) -> None:
    torch.manual_seed(1)
    one = torch.rand(1, shape[1], 1)
    xi, alpha = generalized_max_pool(one.expand(shape), 0.5, return_weights=True)
    copies = shape[2]
    wanted = copies * one / (copies * one.square().sum() + 0.5)
    torch.testing.assert_close(xi, wanted.squeeze(2))
    torch.testing.assert_close(alpha, (1 / (copies * one.square().sum() + 0.5)).expand(1, copies))


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 4, 3)])
@pytest.mark.parametrize("relative", [False, True])
def test_zeros_give_zero_and_a_finite_gradient(shape, relative) -> None:
    phi = torch.zeros(shape, requires_grad=True)
    xi, alpha = generalized_max_pool(phi, 2.0, return_weights=True, relative=relative)
    assert torch.equal(xi, torch.zeros(shape[:2]))
    torch.testing.assert_close(alpha, torch.full((2, shape[2]), 0.5))
    xi.sum().backward()
    torch.testing.assert_close(phi.grad, torch.full(shape, 0.5))


@pytest.mark.parametrize("relative", [False, True])
def test_an_empty_batch_gives_an_empty_batch(relative) -> None:
    assert generalized_max_pool(torch.rand(0, 3, 4), 1.0, relative=relative).shape == (0, 3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("locations", [9, 3000])
@pytest.mark.parametrize("relative", [False, True])
def test_half_precision_is_solved_in_single(dtype, locations, relative) -> None:
    torch.manual_seed(2)
    phi = (60000 * torch.rand(2, 512, locations)).to(dtype).requires_grad_()
    pooled = generalized_max_pool(phi, 1000.0, relative=relative)
    assert pooled.dtype == torch.float32
    reference = generalized_max_pool(phi.detach().float(), 1000.0, relative=relative)
    assert torch.equal(pooled, reference)
    (1e6 * pooled).sum().backward()
    assert phi.grad.dtype == dtype
    assert phi.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("locations", [9, 600])
@pytest.mark.parametrize("relative", [False, True])
def test_autocast_changes_nothing(dtype, locations, relative) -> None:
    results = []
    for enabled in (True, False):
        torch.manual_seed(3)
        phi = (300 * torch.rand(2, 512, locations)).requires_grad_()
        lambda_ = torch.tensor(1000.0, requires_grad=True)
        with torch.autocast("cpu", dtype=dtype, enabled=enabled):
            pooled = generalized_max_pool(phi, lambda_, relative=relative)
            pooled.square().sum().backward()  # whose products autocast would take too
        results.append((pooled, phi.grad, lambda_.grad))
    assert all(torch.equal(*pair) for pair in zip(*results, strict=True))


@pytest.mark.parametrize("name", POOLS)
def test_nan_stays_in_its_sample(phi: Tensor, name: str) -> None:
    phi = phi.clone().requires_grad_()
    spoil = torch.zeros_like(phi)
    spoil[1, 0, 0] = math.nan
    spoiled = phi + spoil
    pooled = POOLS[name](spoiled)
    assert pooled[1, 0].isnan()
    torch.testing.assert_close(pooled[[0, 2]], POOLS[name](phi)[[0, 2]])
    pooled.sum().backward()
    assert phi.grad[[0, 2]].isfinite().all()


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("outside", [0.5, 1e30, -math.inf, math.nan])
def test_masked_pooling_equals_pooling_the_crop(name: str, outside: float) -> None:
    torch.manual_seed(4)
    for depth in (3, 20):
        padded = torch.rand(2, depth, 9, dtype=torch.float64)
        mask = torch.zeros(2, 9, dtype=torch.bool)
        mask[0, 2:7] = mask[1, [0, 8]] = True
        padded = padded.masked_fill(~mask[:, None], outside).requires_grad_()
        pooled = POOLS[name](padded, mask=mask)
        pooled.square().sum().backward()
        for sample, kept in enumerate(mask):
            crop = padded.detach()[sample : sample + 1, :, kept].clone().requires_grad_()
            alone = POOLS[name](crop)
            torch.testing.assert_close(pooled[sample : sample + 1], alone)
            alone.square().sum().backward()
            torch.testing.assert_close(padded.grad[sample][:, kept], crop.grad[0])
            assert not padded.grad[sample][:, ~kept].any()


def test_weights_are_zero_outside_the_mask(phi: Tensor) -> None:
    mask = torch.tensor([[True, False, True, True]]).expand(3, -1)
    _, alpha = generalized_max_pool(phi, 1.0, mask=mask, return_weights=True)
    _, crop = generalized_max_pool(phi[:, :, [0, 2, 3]], 1.0, return_weights=True)
    assert not alpha[:, 1].any()
    torch.testing.assert_close(alpha[:, [0, 2, 3]], crop)


@pytest.mark.parametrize("name", POOLS)
def test_errors_of_descriptors_and_masks(phi: Tensor, name: str) -> None:
    pool = POOLS[name]
    with pytest.raises(ValueError, match=r"phi must be \(B, D, N\) with D, N > 0, got \(3, 4\)"):
        pool(torch.rand(3, 4))
    with pytest.raises(ValueError, match=r"got \(3, 4, 0\)"):
        pool(torch.rand(3, 4, 0))
    with pytest.raises(ValueError, match=r"floating point, got torch\.int64"):
        pool(torch.ones(1, 3, 4, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"boolean \(3, 4\), got torch.bool \(3, 5\)"):
        pool(phi, mask=torch.ones(3, 5, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"boolean \(3, 4\), got torch.float32"):
        pool(phi, mask=torch.ones(3, 4))
    mask = torch.ones(3, 4, dtype=torch.bool)
    mask[1:] = False
    with pytest.raises(ValueError, match=r"no location of the samples \[1, 2\]"):
        pool(phi, mask=mask)


@pytest.mark.parametrize("lambda_", [0.0, -1.0, math.inf, math.nan, 1e-320])
def test_errors_of_lambda(phi: Tensor, lambda_: float) -> None:
    with pytest.raises(ValueError, match="lambda_ must be positive and finite in"):
        generalized_max_pool(phi, lambda_)


def test_errors_of_the_shape_of_lambda(phi: Tensor) -> None:
    with pytest.raises(ValueError, match=r"the shape \(\) or \(3,\), got \(2,\)"):
        generalized_max_pool(phi, torch.ones(2))
    with pytest.raises(ValueError, match=r"iterations must be positive, got 0"):
        generalized_max_pool(phi, 1.0, cg_iterations=0)


def test_errors_of_the_other_parameters(phi: Tensor) -> None:
    with pytest.raises(ValueError, match="r must not be negative, got -1"):
        functional.log_sum_exp_pool(phi, -1.0)
    for p in (0.0, math.inf):
        with pytest.raises(ValueError, match=r"p must be positive and finite, got (0|inf)"):
            functional.generalized_mean_pool(phi, p)


def test_outputs_may_be_changed_in_place(phi: Tensor) -> None:
    x = phi.clone().requires_grad_()
    pooled, alpha = generalized_max_pool(x, 1.0, return_weights=True)
    (pooled.mul_(2).sum() + alpha.mul_(3).sum()).backward()
    y = phi.clone().requires_grad_()
    pooled, alpha = generalized_max_pool(y, 1.0, return_weights=True)
    (2 * pooled.sum() + 3 * alpha.sum()).backward()
    torch.testing.assert_close(x.grad, y.grad)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_log_sum_exp_limits(dtype) -> None:
    torch.manual_seed(6)
    phi = 5 * torch.randn(2, 3, 8, dtype=dtype)
    for r in (0, 1e-9, 1e-5):
        pooled = functional.log_sum_exp_pool(phi, r)
        torch.testing.assert_close(pooled, functional.average_pool(phi), rtol=0, atol=1e-3)
    for r in (1e7, 1e38, math.inf):
        pooled = functional.log_sum_exp_pool(phi, r)
        torch.testing.assert_close(pooled, functional.max_pool(phi), rtol=0, atol=1e-5)


@pytest.mark.parametrize("r", [1e-3, 0.1, 3.0, 30.0])
def test_log_sum_exp_oracle_and_gradient(r: float) -> None:
    torch.manual_seed(7)
    phi = torch.randn(2, 3, 8, dtype=torch.float64, requires_grad=True)
    parameter = torch.tensor(r, dtype=torch.float64, requires_grad=True)
    plain = torch.log(torch.exp(r * phi).mean(dim=2)) / r
    torch.testing.assert_close(functional.log_sum_exp_pool(phi, parameter), plain)
    assert torch.autograd.gradcheck(functional.log_sum_exp_pool, (phi, parameter))


def test_log_sum_exp_rises_with_r() -> None:
    torch.manual_seed(8)
    phi = 20 * torch.randn(2, 3, 50)
    pooled = torch.stack([functional.log_sum_exp_pool(phi, 10**e) for e in range(-6, 7)])
    assert (pooled.diff(dim=0) >= -1e-4).all()


def test_mixed_pool_lies_between_mean_and_maximum(phi: Tensor) -> None:
    torch.testing.assert_close(functional.mixed_pool(phi, 0.0), functional.average_pool(phi))
    torch.testing.assert_close(functional.mixed_pool(phi, 1.0), functional.max_pool(phi))


@pytest.mark.parametrize("p", [1.0, 3.0, 7.5])
def test_generalized_mean_oracle(phi: Tensor, p: float) -> None:
    plain = phi.pow(p).mean(dim=2).pow(1 / p)
    torch.testing.assert_close(functional.generalized_mean_pool(phi, p), plain)
    power = torch.tensor(p, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        functional.generalized_mean_pool, (phi.clone().requires_grad_(), power)
    )


def test_generalized_mean_of_a_large_power_is_the_maximum() -> None:
    torch.manual_seed(9)
    phi = (1000 * torch.rand(2, 3, 8)).half()
    torch.testing.assert_close(functional.generalized_mean_pool(phi, 1e5), functional.max_pool(phi))


def test_masked_average_does_not_overflow_in_half_precision() -> None:
    phi = torch.full((1, 2, 100), 1000.0, dtype=torch.float16)
    mask = torch.ones(1, 100, dtype=torch.bool)
    pooled = functional.average_pool(phi, mask=mask)
    assert torch.equal(pooled, torch.full((1, 2), 1000.0, dtype=torch.float16))

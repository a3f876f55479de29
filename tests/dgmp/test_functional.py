"""Generalized max pooling against solutions written another way, in float64."""

import pytest
import torch

from dgmp import functional
from dgmp.cholesky import NumericalWarning
from dgmp.functional import generalized_max_pool

SHAPES = [(2, 5, 3), (3, 4, 4), (2, 3, 7), (1, 6, 1), (4, 1, 5)]


def normal_equations(phi: torch.Tensor, lambda_: torch.Tensor) -> torch.Tensor:
    gram = phi @ phi.mT + lambda_ * torch.eye(phi.shape[1], dtype=phi.dtype)
    return torch.linalg.solve(gram, phi.sum(dim=2))


def stacked_least_squares(phi: torch.Tensor, lambda_: float) -> torch.Tensor:
    batch, depth, _ = phi.shape
    ridge = lambda_**0.5 * torch.eye(depth, dtype=phi.dtype).expand(batch, -1, -1)
    left = torch.cat([phi.mT, ridge], dim=1)
    right = torch.cat([torch.ones_like(phi[:, 0]), torch.zeros_like(phi[:, :, 0])], dim=1)
    return torch.linalg.lstsq(left, right.unsqueeze(2)).solution.squeeze(2)


@pytest.fixture
def phi() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.rand(3, 6, 4, dtype=torch.float64)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lambda_", [0.1, 1.0, 1000.0])
def test_oracle_value(shape: tuple[int, int, int], lambda_: float) -> None:
    torch.manual_seed(1)
    phi = torch.rand(shape, dtype=torch.float64)
    pooled = generalized_max_pool(phi, lambda_)
    torch.testing.assert_close(pooled, stacked_least_squares(phi, lambda_), rtol=1e-10, atol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_oracle_gradient(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(2)
    weight = torch.rand(shape[:2], dtype=torch.float64)
    gradients = []
    for pool in (generalized_max_pool, normal_equations):
        torch.manual_seed(3)
        phi = torch.rand(shape, dtype=torch.float64, requires_grad=True)
        lambda_ = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
        (pool(phi, lambda_) * weight).sum().backward()
        gradients.append((phi.grad, lambda_.grad))
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradcheck(shape: tuple[int, int, int]) -> None:
    phi = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    lambda_ = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(generalized_max_pool, (phi, lambda_))


def test_large_lambda_has_the_direction_of_the_sum(phi: torch.Tensor) -> None:
    pooled = generalized_max_pool(phi, 1e6)
    cosine = torch.nn.functional.cosine_similarity(pooled, phi.sum(dim=2))
    torch.testing.assert_close(cosine, torch.ones_like(cosine), rtol=1e-6, atol=0)


def test_small_lambda_makes_every_similarity_one(phi: torch.Tensor) -> None:
    similarities = (phi.mT @ generalized_max_pool(phi, 1e-9).unsqueeze(2)).squeeze(2)
    torch.testing.assert_close(similarities, torch.ones_like(similarities), rtol=1e-6, atol=0)


def test_a_repeated_descriptor_counts_once(phi: torch.Tensor) -> None:
    repeated = torch.cat([phi, phi[:, :, :1].expand(-1, -1, 49)], dim=2)
    before, after = generalized_max_pool(phi, 1e-6), generalized_max_pool(repeated, 1e-6)
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-3)
    mean_before, mean_after = functional.average_pool(phi), functional.average_pool(repeated)
    assert (mean_after - mean_before).abs().max() > 0.1


def test_half_precision_input_is_solved_in_single() -> None:
    torch.manual_seed(4)
    phi = (10 * torch.rand(2, 2048, 9)).half()
    pooled = generalized_max_pool(phi, 1000.0)
    assert pooled.dtype == torch.float32
    reference = generalized_max_pool(phi.double(), 1000.0)
    torch.testing.assert_close(pooled.double(), reference, rtol=2e-3, atol=1e-5)


def test_autocast_leaves_the_gram_matrix_in_single() -> None:
    phi = 300 * torch.rand(2, 512, 9)
    with torch.autocast("cpu", dtype=torch.float16):
        pooled = generalized_max_pool(phi, 1000.0)
    torch.testing.assert_close(pooled, generalized_max_pool(phi, 1000.0))


def test_nan_stays_in_its_sample(phi: torch.Tensor) -> None:
    spoiled = phi.clone()
    spoiled[1, 0, 0] = torch.nan
    pooled = generalized_max_pool(spoiled, 1.0)
    assert pooled[1].isnan().all()
    torch.testing.assert_close(pooled[[0, 2]], generalized_max_pool(phi, 1.0)[[0, 2]])


def test_singular_system_is_retried_with_a_warning() -> None:
    torch.manual_seed(5)
    phi = torch.rand(2, 4, 3)
    phi[1] = 1e6 * phi[1, :, :1]  # rank one, and lambda below the precision of its diagonal
    with pytest.warns(NumericalWarning, match="1 of 2 systems"):
        pooled = generalized_max_pool(phi, 1e-3)
    assert pooled.isfinite().all()
    torch.testing.assert_close(pooled[:1], generalized_max_pool(phi[:1], 1e-3))


def test_zero_input_gives_zero() -> None:
    assert torch.equal(generalized_max_pool(torch.zeros(1, 3, 4), 1.0), torch.zeros(1, 3))


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"phi must be \(B, D, N\)"):
        generalized_max_pool(torch.rand(3, 4), 1.0)
    with pytest.raises(ValueError, match="lambda_ must be positive and finite, got -1"):
        generalized_max_pool(torch.rand(1, 3, 4), -1.0)


def test_log_sum_exp_limits() -> None:
    torch.manual_seed(6)
    phi = 5 * torch.randn(2, 3, 8, dtype=torch.float64)
    small, large = (functional.log_sum_exp_pool(phi, r) for r in (1e-7, 1e7))
    torch.testing.assert_close(small, functional.average_pool(phi), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(large, functional.max_pool(phi), rtol=1e-5, atol=1e-5)


def test_log_sum_exp_oracle_and_gradient() -> None:
    torch.manual_seed(7)
    phi = torch.randn(2, 3, 8, dtype=torch.float64, requires_grad=True)
    r = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    plain = torch.log(torch.exp(r * phi).mean(dim=2)) / r
    torch.testing.assert_close(functional.log_sum_exp_pool(phi, r), plain)
    assert torch.autograd.gradcheck(functional.log_sum_exp_pool, (phi, r))


def test_mixed_pool_lies_between_mean_and_maximum(phi: torch.Tensor) -> None:
    torch.testing.assert_close(functional.mixed_pool(phi, 0.0), functional.average_pool(phi))
    torch.testing.assert_close(functional.mixed_pool(phi, 1.0), functional.max_pool(phi))


def test_generalized_mean_of_power_one_is_the_mean(phi: torch.Tensor) -> None:
    torch.testing.assert_close(
        functional.generalized_mean_pool(phi, 1.0), functional.average_pool(phi)
    )

"""Generalized max pooling against solutions written another way."""

import itertools

import pytest
import torch
from torch import Tensor

from dgmp.pooling.functional import average_pool, generalized_max_pool

SHAPES = [(2, 5, 3), (2, 3, 5), (3, 4, 4), (1, 6, 1), (4, 1, 5)]
# Those that the benchmark times, with one sample.
LARGE = [
    (1, 2048, 169),
    (1, 2048, 576),
    (1, 384, 4096),
    (1, 128, 36),
    (1, 256, 64),
    (1, 768, 16384),
]


def dual_by_lu(phi: Tensor, lambda_: Tensor | float) -> Tensor:
    identity = torch.eye(phi.shape[2], dtype=phi.dtype)
    ones = torch.ones_like(phi[:, 0]).unsqueeze(2)
    return (phi @ torch.linalg.solve(phi.mT @ phi + lambda_ * identity, ones)).squeeze(2)


def primal_by_lu(phi: Tensor, lambda_: Tensor | float) -> Tensor:
    identity = torch.eye(phi.shape[1], dtype=phi.dtype)
    return torch.linalg.solve(phi @ phi.mT + lambda_ * identity, phi.sum(dim=2))


def relative_by_lu(phi: Tensor, lambda_: Tensor) -> Tensor:
    gram = phi.mT @ phi
    traces = gram.diagonal(dim1=1, dim2=2).sum(dim=1)
    return dual_by_lu(phi, lambda_ * traces[:, None, None] / phi.shape[2])


def relative_pool(phi: Tensor, lambda_: Tensor | float) -> Tensor:
    return generalized_max_pool(phi, lambda_, relative=True)


def stacked_least_squares(phi: Tensor, lambda_: Tensor | float) -> Tensor:
    """The regression of Eq. 7 as it stands, with sqrt(lambda) I below Phi^T."""
    batch, depth, _ = phi.shape
    ridge = lambda_**0.5 * torch.eye(depth, dtype=phi.dtype).expand(batch, -1, -1)
    left = torch.cat([phi.mT, ridge], dim=1)
    right = torch.cat([torch.ones_like(phi[:, 0]), torch.zeros_like(phi[:, :, 0])], dim=1)
    return torch.linalg.lstsq(left, right.unsqueeze(2)).solution.squeeze(2)


ORACLES = [
    *itertools.product(SHAPES, (dual_by_lu, primal_by_lu, stacked_least_squares)),
    # In blocks and refined; by LU the larger side is less exact than what it is to check.
    *itertools.product([(2, 300, 150)], (dual_by_lu, stacked_least_squares)),
    *itertools.product([(2, 260, 600)], (primal_by_lu, stacked_least_squares)),
]


def value_and_gradients(
    pool, phi: Tensor, lambda_: float, weights: tuple[float, float] = (-1, 2)
) -> list[Tensor]:
    """Pooled descriptors, and the gradients of a weighted sum of them in phi and lambda."""
    phi = phi.clone().requires_grad_()
    ridge = torch.tensor(lambda_, dtype=phi.dtype, requires_grad=True)
    weight = torch.linspace(*weights, phi.shape[1], dtype=phi.dtype)
    pooled = pool(phi, ridge)
    (pooled * weight).sum().backward()
    return [pooled.detach(), phi.grad, ridge.grad]


def relative_error(found: Tensor, wanted: Tensor) -> float:
    return float((found.double() - wanted).norm() / wanted.norm())


@pytest.fixture
def phi() -> Tensor:
    torch.manual_seed(0)
    return torch.rand(3, 6, 4, dtype=torch.float64)


@pytest.mark.parametrize(("shape", "oracle"), ORACLES)
@pytest.mark.parametrize("lambda_", [0.1, 1.0, 1000.0])
def test_oracle_double_precision(shape, oracle, lambda_) -> None:
    torch.manual_seed(1)
    phi = torch.rand(shape, dtype=torch.float64)
    found = value_and_gradients(generalized_max_pool, phi, lambda_)
    wanted = value_and_gradients(oracle, phi, lambda_)
    for one, other, bound in zip(found, wanted, (1e-10, 1e-9, 1e-9), strict=True):
        assert relative_error(one, other) < bound


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lambda_", [0.1, 1.0, 1000.0])
@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_oracle_of_relative_lambda(shape, lambda_, scale) -> None:
    torch.manual_seed(1)
    phi = scale * torch.rand(shape, dtype=torch.float64)
    found = value_and_gradients(relative_pool, phi, lambda_)
    wanted = value_and_gradients(relative_by_lu, phi, lambda_)
    for one, other, bound in zip(found, wanted, (1e-10, 1e-9, 1e-9), strict=True):
        assert relative_error(one, other) < bound


@pytest.mark.parametrize("shape", LARGE[:-1])
@pytest.mark.parametrize("lambda_", [1e-2, 1.0, 100.0])
def test_oracle_of_relative_lambda_in_single_precision(shape, lambda_) -> None:
    torch.manual_seed(2)
    phi = torch.randn(shape).relu()
    for one in (phi, phi.mT.contiguous().mT):  # the energy is summed along memory
        energy = float(phi.double().square().sum()) / shape[2]
        oracle = dual_by_lu if shape[2] <= shape[1] else primal_by_lu
        wanted = oracle(phi.double(), lambda_ * energy)
        assert relative_error(relative_pool(one, lambda_), wanted) < 2e-5


@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 3, 5), (2, 130, 140)])
@pytest.mark.parametrize("factor", [-1e-5, 0.3, 1e6])
def test_relative_lambda_does_not_see_the_scale(shape, factor) -> None:
    torch.manual_seed(11)
    phi = torch.rand(shape, dtype=torch.float64)
    factors = torch.tensor([1, factor], dtype=torch.float64)[:, None, None]  # one a sample
    found = value_and_gradients(relative_pool, factors * phi, 0.7)
    before = value_and_gradients(relative_pool, phi, 0.7)
    torch.testing.assert_close(found[0] * factors[:, 0], before[0])
    torch.testing.assert_close(found[1] * factors**2, before[1])
    # By Euler's theorem, of what is homogeneous of degree -1: without the energy's share of the
    # gradient it would not hold.
    weight = torch.linspace(-1, 2, shape[1], dtype=phi.dtype)
    along = (before[1] * phi).sum(dim=(1, 2))
    torch.testing.assert_close(along, -(before[0] * weight).sum(dim=1))


@pytest.mark.parametrize("shape", [(3, 5, 3), (3, 3, 5)])
def test_relative_lambda_of_weak_descriptors(shape) -> None:
    torch.manual_seed(12)
    phi = torch.rand(shape)
    scales = torch.tensor([1e-9, 1e-11, 1e-30])  # the last two count as zeros
    weak = (scales[:, None, None] * phi).requires_grad_()
    xi, alpha = generalized_max_pool(weak, 0.5, return_weights=True, relative=True)
    torch.testing.assert_close(xi[0] * scales[0], relative_pool(phi, 0.5)[0])
    torch.testing.assert_close(xi[1:], 2 * weak[1:].sum(dim=2))
    torch.testing.assert_close(alpha[1:], torch.full_like(alpha[1:], 2.0))
    assert torch.autograd.grad(xi.sum(), weak)[0].isfinite().all()


@pytest.mark.parametrize("shape", LARGE)
@pytest.mark.parametrize("lambda_", [1.0, 1e3, 1e6])
@pytest.mark.parametrize("draw", [torch.rand, lambda shape: torch.randn(shape).relu()])
def test_oracle_single_precision(shape, lambda_, draw) -> None:
    torch.manual_seed(2)
    phi = draw(shape)
    oracle = dual_by_lu if shape[2] <= shape[1] else primal_by_lu
    found = value_and_gradients(generalized_max_pool, phi, lambda_)
    wanted = value_and_gradients(oracle, phi.double(), lambda_)
    # The slope in lambda is one number, of terms that nearly cancel.
    for one, other, bound in zip(found, wanted, (1e-4, 1e-4, 1e-3), strict=True):
        assert relative_error(one, other) < bound


@pytest.mark.parametrize("shape", LARGE[:-1])
@pytest.mark.parametrize(("lambda_", "bound"), [(1.0, 3e-3), (1e3, 3e-4), (1e6, 1e-4)])
def test_oracle_of_the_gradient_of_a_plain_sum(shape, lambda_, bound) -> None:
    # It lies almost in the direction that is regularized least, so that little is left of it.
    torch.manual_seed(2)
    phi = torch.rand(shape)
    oracle = dual_by_lu if shape[2] <= shape[1] else primal_by_lu
    _, found, _ = value_and_gradients(generalized_max_pool, phi, lambda_, weights=(1, 1))
    _, wanted, _ = value_and_gradients(oracle, phi.double(), lambda_, weights=(1, 1))
    assert relative_error(found, wanted) < bound


@pytest.mark.parametrize("shape", LARGE)
def test_oracle_of_descriptors_that_are_nearly_alike(shape) -> None:
    # The hardest case for single precision, at the paper's lambda.
    torch.manual_seed(9)
    phi = torch.rand(1, shape[1], 1) + 0.1 * torch.rand(shape)
    oracle = dual_by_lu if shape[2] <= shape[1] else primal_by_lu
    found = value_and_gradients(generalized_max_pool, phi, 1000.0)
    wanted = value_and_gradients(oracle, phi.double(), 1000.0)
    assert relative_error(found[0], wanted[0]) < 1e-5
    assert relative_error(found[1], wanted[1]) < 2e-4


@pytest.mark.parametrize("shape", [(1, 256, 64), (1, 64, 64), (1, 64, 256), (1, 300, 310)])
@pytest.mark.parametrize("lambda_", [1e-3, 1e-2, 1e-1])
def test_error_is_within_the_condition_number(shape, lambda_) -> None:
    torch.manual_seed(3)
    phi = torch.rand(shape)
    squares = torch.linalg.svdvals(phi[0].double()) ** 2 + lambda_
    condition = float(squares[0] / squares[-1])
    wanted = stacked_least_squares(phi.double(), lambda_)
    error = relative_error(generalized_max_pool(phi, lambda_), wanted)
    assert error < condition * torch.finfo(torch.float32).eps


@pytest.mark.parametrize("shape", [(1, 32, 1024), (1, 63, 4096), (1, 2048, 169)])
@pytest.mark.parametrize("lambda_", [1.0, 1e4, 1e10])
def test_error_of_equal_descriptors_is_within_the_stated_bound(shape, lambda_) -> None:
    torch.manual_seed(3)
    phi = torch.rand(1, shape[1], 1).expand(shape)
    condition = 1 + float(phi[0].double().square().sum()) / lambda_
    column = phi[:, :, 0].double()
    wanted = column * shape[2] / (shape[2] * column.square().sum() + lambda_)
    error = relative_error(generalized_max_pool(phi, lambda_), wanted)
    assert error < max(shape) * condition * torch.finfo(torch.float32).eps


@pytest.mark.parametrize("shape", [(1, 64, 256), (1, 300, 310), (1, 128, 169), (1, 63, 4096)])
def test_refinement_takes_back_the_rounding_of_the_gram_matrix(shape) -> None:
    # Of rank 8: without refinement the error is above 2e-3.
    torch.manual_seed(8)
    phi = torch.rand(1, shape[1], 8) @ torch.rand(1, 8, shape[2])
    wanted = stacked_least_squares(phi.double(), 1.0)
    assert relative_error(generalized_max_pool(phi, 1.0), wanted) < 1.5e-3


@pytest.mark.parametrize("shape", [(2, 4, 3), (2, 3, 4), (1, 1, 3), (1, 3, 1), (1, 257, 258)])
def test_the_lower_blocks_are_the_gram_matrix(shape) -> None:
    # 257 has four blocks of unlike sizes; both sides of the choice between the systems.
    torch.manual_seed(4)
    phi = torch.rand(shape, dtype=torch.float64)
    for one in (phi, phi.mT):
        assert relative_error(generalized_max_pool(one, 1.0), primal_by_lu(one, 1.0)) < 1e-10


@pytest.mark.parametrize("shape", [(2, 4, 3), (2, 3, 4), (1, 1, 3), (1, 3, 1)])
@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("relative", [False, True])
def test_gradcheck(shape, batched, relative) -> None:
    torch.manual_seed(5)
    phi = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    lambda_ = torch.rand(shape[:1] if batched else (), dtype=torch.float64) + 0.5
    lambda_.requires_grad_()

    def both(phi: Tensor, lambda_: Tensor) -> tuple[Tensor, Tensor]:
        return generalized_max_pool(phi, lambda_, return_weights=True, relative=relative)

    forward = {"check_forward_ad": True, "check_batched_forward_grad": True}
    assert torch.autograd.gradcheck(both, (phi, lambda_), **forward)
    assert torch.autograd.gradgradcheck(both, (phi, lambda_), check_fwd_over_rev=True)
    assert torch.autograd.gradgradcheck(lambda *args: both(*args)[0], (phi, lambda_))
    assert torch.autograd.gradgradcheck(lambda *args: both(*args)[1], (phi, lambda_))


@pytest.mark.parametrize("shape", [(64, 4, 3), (64, 3, 4), (64, 1, 3), (64, 3, 1), (64, 9, 10)])
def test_a_large_batch_is_its_samples(shape) -> None:
    # Small systems of large batches are solved by other calls.
    torch.manual_seed(10)
    phi = torch.rand(shape, dtype=torch.float64)
    lambda_ = torch.tensor(0.5, dtype=torch.float64)

    def slopes(phi: Tensor) -> list[Tensor]:
        phi = phi.clone().requires_grad_()
        pooled = generalized_max_pool(phi, lambda_)
        (first,) = torch.autograd.grad(pooled.square().sum(), phi, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), phi)
        return [pooled.detach(), first.detach(), second]

    alone = zip(*(slopes(one) for one in phi.split(16)), strict=True)
    for whole, parts in zip(slopes(phi), alone, strict=True):
        torch.testing.assert_close(whole, torch.cat(parts), rtol=1e-9, atol=1e-12)


def test_second_derivatives_of_a_refined_solution() -> None:
    torch.manual_seed(6)
    phi = torch.rand(1, 256, 300, dtype=torch.float64)
    slopes = []
    for pool in (generalized_max_pool, primal_by_lu):
        lambda_ = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(pool(phi, lambda_).sum(), lambda_, create_graph=True)
        slopes.append(torch.autograd.grad(slope, lambda_)[0])
    torch.testing.assert_close(*slopes, rtol=1e-9, atol=0)


def test_weights_sum_up_the_descriptors() -> None:
    torch.manual_seed(7)
    for shape in [(2, 5, 3), (2, 3, 5)]:
        phi = torch.rand(shape, dtype=torch.float64)
        xi, alpha = generalized_max_pool(phi, 0.7, return_weights=True)
        torch.testing.assert_close((phi * alpha[:, None]).sum(dim=2), xi)
        # The normal equations of the dual form, Eq. 9.
        similarities = (phi * xi[:, :, None]).sum(dim=1)
        torch.testing.assert_close(similarities + 0.7 * alpha, torch.ones_like(alpha))


@pytest.mark.parametrize("pool", [generalized_max_pool, relative_pool])
def test_one_lambda_for_each_sample(phi: Tensor, pool) -> None:
    lambdas = torch.tensor([0.1, 1.0, 10.0], dtype=torch.float64)
    for one in (phi, phi.mT):
        alone = [pool(one[i : i + 1], lambdas[i].item()) for i in range(3)]
        torch.testing.assert_close(pool(one, lambdas), torch.cat(alone))


def test_large_lambda_has_the_direction_of_the_sum(phi: Tensor) -> None:
    pooled = generalized_max_pool(phi, 1e6)
    cosine = torch.nn.functional.cosine_similarity(pooled, phi.sum(dim=2))
    torch.testing.assert_close(cosine, torch.ones_like(cosine), rtol=1e-6, atol=0)


def test_small_lambda_makes_every_similarity_one(phi: Tensor) -> None:
    similarities = (phi.mT @ generalized_max_pool(phi, 1e-9).unsqueeze(2)).squeeze(2)
    torch.testing.assert_close(similarities, torch.ones_like(similarities), rtol=1e-6, atol=0)


def test_a_repeated_descriptor_counts_once(phi: Tensor) -> None:
    repeated = torch.cat([phi, phi[:, :, :1].expand(-1, -1, 49)], dim=2)
    before, after = generalized_max_pool(phi, 1e-6), generalized_max_pool(repeated, 1e-6)
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-3)
    assert (average_pool(repeated) - average_pool(phi)).abs().max() > 0.1

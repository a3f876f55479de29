import math

import pytest
import torch

from dgmp.pooling.functional import generalized_max_pool


@pytest.mark.parametrize("shape", [(2, 6, 4), (2, 4, 6)])
@pytest.mark.parametrize("lambda_", [0.5, torch.tensor([0.5, 3.0], dtype=torch.float64)])
def test_twice_as_many_steps_as_unknowns_are_exact(shape, lambda_) -> None:
    torch.manual_seed(0)
    phi = torch.rand(shape, dtype=torch.float64)
    found = generalized_max_pool(phi, lambda_, return_weights=True, cg_iterations=12)
    torch.testing.assert_close(found, generalized_max_pool(phi, lambda_, return_weights=True))


def worst_case() -> torch.Tensor:
    """Both halves of two steps are as slow as steepest descent can be: condition 4 at lambda 1."""
    large, small = 3**0.5, 0.1
    angle = math.atan((small / large - 1) / (small / large + 1))
    turn = [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
    return torch.diag(torch.tensor([large, small])).double()[None] @ torch.tensor(turn).double()


@pytest.mark.parametrize(
    ("phi", "lambda_"), [(torch.randn(1, 30, 50).double(), 10.0), (worst_case(), 1.0)]
)
def test_the_error_shrinks_as_stated(phi, lambda_) -> None:
    exact = generalized_max_pool(phi, lambda_)
    gram = phi[0] @ phi[0].T + lambda_ * torch.eye(phi.shape[1], dtype=torch.float64)
    condition = 1 + torch.linalg.matrix_norm(phi[0], 2) ** 2 / lambda_
    rate = (condition.sqrt() - 1) / (condition.sqrt() + 1)
    for steps in (1, 2, 3, 8, 9):
        error = (generalized_max_pool(phi, lambda_, cg_iterations=steps) - exact)[0]
        # The bound holds in the norm of the system.
        left, start = (error @ gram @ error).sqrt(), (exact[0] @ gram @ exact[0]).sqrt()
        assert left <= 4 * rate**steps * start + 1e-14


def test_a_solved_system_stays_solved() -> None:
    phi = torch.rand(2, 3, 4)
    phi[1] = 0
    pooled = generalized_max_pool(phi, 1.0, cg_iterations=100)
    torch.testing.assert_close(pooled, generalized_max_pool(phi, 1.0))


def test_gradient() -> None:
    torch.manual_seed(2)
    phi = torch.rand(2, 4, 3, dtype=torch.float64)
    slopes = []
    for iterations in (None, 8):
        x = phi.clone().requires_grad_()
        generalized_max_pool(x, 0.5, cg_iterations=iterations).square().sum().backward()
        slopes.append(x.grad)
    torch.testing.assert_close(*slopes, rtol=1e-6, atol=1e-9)

import warnings

import pytest
import torch

from dgmp.pooling.cholesky import NumericalWarning, gram_cholesky
from dgmp.pooling.functional import generalized_max_pool

RIDGE = torch.tensor(1e-3)


def singular(n: int = 3, first: int = 0) -> torch.Tensor:
    """In the second matrix the columns from `first` on are one, beyond the reach of the ridge."""
    torch.manual_seed(0)
    x = torch.rand(3, n + 1, n)
    x[1, :, first:] = 1e6 * x[1, :, first : first + 1]
    return x


@pytest.mark.parametrize("n", [1, 5, 112, 113, 128, 129, 159, 160, 255, 256, 301])
def test_oracle(n: int) -> None:
    torch.manual_seed(1)
    x = torch.rand(2, n + 3, n, dtype=torch.float64)
    ridge = torch.rand(2, 1, 1, dtype=torch.float64) + 0.1
    wanted = torch.linalg.cholesky(x.mT @ x + ridge * torch.eye(n, dtype=torch.float64))
    torch.testing.assert_close(gram_cholesky(x, ridge), wanted, rtol=1e-9, atol=1e-12)


def test_no_jitter_without_need() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gram_cholesky(torch.rand(2, 4, 3), RIDGE)


# Of 120 columns, the halves are factorized in turn: one fails in the first, one in the second.
@pytest.mark.parametrize(("n", "first"), [(3, 0), (120, 0), (120, 100)])
def test_only_the_failing_sample_is_retried_with_a_warning(n: int, first: int) -> None:
    x = singular(n, first)
    gram = x[1].T @ x[1]
    # Whether the smallest pivots round to below zero depends on the processor: make sure of it.
    ridge = torch.stack([RIDGE, -5e-7 * gram.diagonal().mean(), RIDGE])[:, None, None]
    with pytest.warns(NumericalWarning, match=r"1 of 3 .* added 1e-06 of"):
        factors = gram_cholesky(x, ridge)
    good = torch.tensor([0, 2])
    assert torch.equal(factors[good], gram_cholesky(x[good], ridge[good]))
    deviation = (factors[1] @ factors[1].T - gram).abs().max()
    assert deviation < 1e-5 * gram.diagonal().mean()


def test_the_pooled_descriptor_of_a_singular_sample_is_right() -> None:
    x = singular()
    with pytest.warns(NumericalWarning):
        pooled = generalized_max_pool(x, 1e-3)
    exact = generalized_max_pool(x.double(), 1e-3)
    torch.testing.assert_close(pooled.double(), exact, rtol=1e-3, atol=0)


def test_what_no_jitter_mends_is_nan() -> None:
    x = torch.rand(2, 4, 3)
    ridge = torch.tensor([1.0, -100.0])[:, None, None]
    with pytest.warns(NumericalWarning, match="added 0.001"):
        factors = gram_cholesky(x, ridge)
    assert factors[1].isnan().any()
    assert torch.equal(factors[:1], gram_cholesky(x[:1], ridge[:1]))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, 1e30])
def test_what_is_not_finite_is_nan_and_no_warning(bad: float) -> None:
    x = torch.rand(3, 4, 3)
    x[1, 0, 0] = bad
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        factors = gram_cholesky(x, RIDGE)
    assert not factors[1].isfinite().all()
    good = torch.tensor([0, 2])
    assert torch.equal(factors[good], gram_cholesky(x[good], RIDGE))

import pickle
from typing import get_args

import pytest
import torch

from dgmp import DGMP, POOLINGS, build_pooling
from pipeline.params import PoolingName


@pytest.mark.parametrize("name", POOLINGS)
def test_shapes(name: str) -> None:
    pool = build_pooling(name)
    for spatial in [(4,), (3, 5), (2, 3, 2)]:
        x = torch.rand(2, 6, *spatial, requires_grad=True)
        pooled = pool(x)
        assert pooled.shape == (2, 6)
        pooled.square().sum().backward()
        assert x.grad is not None
        assert x.grad.isfinite().all()


@pytest.mark.parametrize("name", POOLINGS)
def test_memory_format_does_not_matter(name: str) -> None:
    torch.manual_seed(0)
    x = torch.rand(2, 6, 3, 3)
    pool = build_pooling(name)
    torch.testing.assert_close(pool(x), pool(x.to(memory_format=torch.channels_last)))


@pytest.mark.parametrize("name", POOLINGS)
def test_pickle(name: str) -> None:
    x = torch.rand(2, 6, 3, 3)
    pool = build_pooling(name)
    assert torch.equal(pickle.loads(pickle.dumps(pool))(x), pool(x))


def test_lambda_never_falls_below_its_floor_and_comes_back() -> None:
    pool = DGMP(lambda_init=1.0, floor=0.5)
    optimizer = torch.optim.SGD(pool.parameters(), lr=1.0)
    for gradient in (3.0, -3.0):
        pool.lambda_.grad = torch.tensor(gradient)
        optimizer.step()
        assert pool.value.item() >= 0.5
        assert pool(torch.rand(1, 4, 2, 2)).isfinite().all()
    assert pool.value.item() == pytest.approx(1.0)


def test_lambda_above_its_floor_is_updated_as_a_raw_parameter() -> None:
    pool = DGMP(lambda_init=10.0)
    (2 * pool.value).backward()
    assert pool.lambda_.grad == torch.tensor(2.0)
    assert pool.state_dict()["lambda_"] == torch.tensor(10.0)
    assert "lambda=10" in repr(pool)


def test_fixed_lambda_is_no_learned_parameter() -> None:
    pool = DGMP(learnable=False)
    assert not any(p.requires_grad for p in pool.parameters())


def test_output_has_unit_norm_if_asked() -> None:
    x = torch.rand(2, 6, 3, 3)
    torch.testing.assert_close(DGMP()(x).norm(dim=1), torch.ones(2))
    torch.testing.assert_close(build_pooling("avg_l2")(x).norm(dim=1), torch.ones(2))
    assert DGMP(lambda_init=1.0, normalize=False)(x).norm(dim=1).min() < 0.99


def test_errors() -> None:
    with pytest.raises(ValueError, match="no pooling 'average'; there are: avg, avg_l2, dgmp"):
        build_pooling("average")
    with pytest.raises(ValueError, match=r"x must be \(B, D, \*spatial\)"):
        DGMP()(torch.rand(2, 3))
    with pytest.raises(ValueError, match=r"at least 0\.001, got -1"):
        DGMP(lambda_init=-1.0)


def test_params_know_the_same_names() -> None:
    assert set(get_args(PoolingName)) == set(POOLINGS)

from pathlib import Path

import pytest
import torch
from torch import nn

import dgmp
from dgmp import DGMP, POOLINGS, build_pooling
from dgmp.pooling import functional

LEARNED = {"dgmp": "lambda_", "gem": "p", "lse": "r", "mixed": "alpha"}


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
@pytest.mark.parametrize("depth", [6, 30])
def test_memory_format_does_not_matter(name: str, depth: int) -> None:
    torch.manual_seed(0)
    x = torch.rand(2, depth, 4, 4)
    pool = build_pooling(name)
    results = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        leaf = x.clone(memory_format=memory_format).requires_grad_()
        pooled = pool(leaf)
        pooled[:, ::2].sum().backward()
        results.append((pooled, leaf.grad))
    torch.testing.assert_close(*results, rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("name", POOLINGS)
def test_channels_last_is_another_layout_of_the_same(name: str) -> None:
    torch.manual_seed(1)
    x, mask = torch.rand(2, 6, 3, 5), torch.rand(2, 3, 5) > 0.3
    pool, last = build_pooling(name), build_pooling(name, channels_last=True)
    moved = x.movedim(1, -1).contiguous()
    torch.testing.assert_close(last(moved, mask=mask), pool(x, mask=mask))
    torch.testing.assert_close(last(moved.flatten(1, 2)), pool(x))


@pytest.mark.parametrize("name", POOLINGS)
def test_a_masked_batch_is_the_crops(name: str) -> None:
    torch.manual_seed(2)
    pool, x = build_pooling(name), torch.rand(2, 6, 5, 5)
    mask = torch.zeros(2, 5, 5, dtype=torch.bool)
    mask[0, :3, :4] = mask[1] = True
    torch.testing.assert_close(pool(x, mask=mask)[:1], pool(x[:1, :, :3, :4]))
    torch.testing.assert_close(pool(x, mask=mask)[1:], pool(x[1:]))


@pytest.mark.parametrize("layout", ["first", "last"])
def test_weights_have_the_spatial_shape(layout: str) -> None:
    torch.manual_seed(3)
    x = torch.rand(2, 6, 3, 5)
    pool = DGMP(lambda_init=0.5, normalize=False, channels_last=layout == "last")
    pooled, alpha = pool(x.movedim(1, -1) if layout == "last" else x, return_weights=True)
    assert alpha.shape == (2, 3, 5)
    torch.testing.assert_close((x * alpha[:, None]).sum(dim=(2, 3)), pooled)


def test_module_is_the_function() -> None:
    x = torch.rand(2, 6, 3, 3)
    pooled = functional.generalized_max_pool(x.flatten(2), 7.0)
    torch.testing.assert_close(DGMP(7.0, normalize=False)(x), pooled)
    torch.testing.assert_close(DGMP(7.0)(x), nn.functional.normalize(pooled))
    torch.testing.assert_close(DGMP(7.0, cg_iterations=9)(x), DGMP(7.0)(x))
    pooled = functional.generalized_max_pool(x.flatten(2), 7.0, relative=True)
    torch.testing.assert_close(DGMP(7.0, relative=True)(x), nn.functional.normalize(pooled))


def test_relative_lambda_starts_at_one_and_is_shown() -> None:
    pool = build_pooling("dgmp", relative=True)
    assert repr(pool) == "DGMP(lambda=1, learnable=True, normalize=True, relative=True)"
    assert DGMP(7.0, relative=True).value.item() == 7
    assert DGMP().value.item() == 1000
    assert "relative" not in repr(DGMP())
    x = torch.rand(2, 6, 3, 3)
    torch.testing.assert_close(pool(x, lambda_=5.0), DGMP(5.0, relative=True)(x))


def test_a_layer_of_relative_lambda_does_not_see_the_scale_of_a_sample() -> None:
    torch.manual_seed(6)
    pool, x = DGMP(relative=True), torch.rand(2, 6, 3, 3)
    scales = torch.tensor([1.0, 1e-4])[:, None, None, None]
    x = (scales * x).requires_grad_()
    pooled = pool(x)
    torch.testing.assert_close(pooled, pool(x / scales))
    (pooled * torch.rand(2, 6)).sum().backward()
    along = (x.grad * x).sum(dim=(1, 2, 3))
    torch.testing.assert_close(along, torch.zeros(2), rtol=0, atol=1e-6)
    assert pool.lambda_.grad != 0


def test_lambda_of_a_call_replaces_its_own() -> None:
    x, pool = torch.rand(2, 6, 3, 3), DGMP()
    torch.testing.assert_close(pool(x, lambda_=5.0), DGMP(5.0)(x))
    each = pool(x, lambda_=torch.tensor([5.0, 50.0]))
    torch.testing.assert_close(each, torch.cat([DGMP(5.0)(x[:1]), DGMP(50.0)(x[1:])]))


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(4)
    x = 100 * torch.rand(2, 6, 3, 3)
    pool = build_pooling(name).to(dtype)
    pooled = pool(x.to(dtype))
    assert pooled.dtype == dtype
    reference = build_pooling(name)(x.to(dtype).float())
    torch.testing.assert_close(pooled.float(), reference, rtol=0.01, atol=1e-4)


@pytest.mark.parametrize("name", LEARNED)
def test_half_leaves_the_parameter_in_single_precision(name: str) -> None:
    pool = build_pooling(name, **{f"{LEARNED[name].rstrip('_')}_init": 1e5}).half()
    assert torch.equal(pool.state_dict()[LEARNED[name]], torch.tensor(1e5))
    assert pool.double().state_dict()[LEARNED[name]].dtype == torch.float64


@pytest.mark.parametrize("name", LEARNED)
def test_the_parameter_is_in_its_own_unit(name: str) -> None:
    symbol = LEARNED[name].rstrip("_")
    pool = build_pooling(name, **{f"{symbol}_init": 10.0})
    assert {key: value.item() for key, value in pool.state_dict().items()} == {LEARNED[name]: 10}
    assert f"{symbol}=10, learnable=True" in repr(pool)
    assert pool.value.item() == 10
    assert build_pooling("avg").value is None


def test_lambda_never_falls_below_its_floor_and_comes_back() -> None:
    pool = DGMP(lambda_init=1.0, floor=0.5)
    optimizer = torch.optim.SGD(pool.parameters(), lr=1.0)
    for gradient in (3.0, -3.0):
        pool.lambda_.grad = torch.tensor(gradient)
        optimizer.step()
        assert pool.value.item() >= 0.5
        assert pool(torch.rand(1, 4, 2, 2)).isfinite().all()
    assert pool.value.item() == pytest.approx(1.0)


def test_the_floor_stops_what_pushes_below_and_passes_what_pushes_up() -> None:
    pool = DGMP(lambda_init=1.0, floor=0.5)
    with torch.no_grad():
        pool.lambda_.fill_(0.2)
    for sign, wanted in ((1.0, 0.0), (-1.0, -1.0)):
        pool.lambda_.grad = None
        (sign * pool.value).backward()
        assert pool.lambda_.grad == wanted


def test_lambda_above_its_floor_is_updated_as_a_raw_parameter() -> None:
    # The step of the paper: plain gradient of the raw parameter, at its own learning rate.
    torch.manual_seed(5)
    x, pool = torch.rand(2, 6, 3, 3), DGMP(lambda_init=2.0)
    raw = torch.tensor(2.0, requires_grad=True)
    weight = torch.rand(2, 6)
    plain = nn.functional.normalize(functional.generalized_max_pool(x.flatten(2), raw))
    (plain * weight).sum().backward()
    optimizer = torch.optim.SGD([{"params": pool.parameters(), "lr": 1000 * 2e-4}])
    (pool(x) * weight).sum().backward()
    optimizer.step()
    torch.testing.assert_close(pool.lambda_.detach(), 2 - 0.2 * raw.grad)
    assert raw.grad != 0


def test_fixed_lambda_is_no_learned_parameter() -> None:
    pool = DGMP(learnable=False)
    assert not any(p.requires_grad for p in pool.parameters())
    assert "learnable=False" in repr(pool)


def test_output_has_unit_norm_if_asked() -> None:
    x = torch.rand(2, 6, 3, 3)
    torch.testing.assert_close(DGMP()(x).norm(dim=1), torch.ones(2))
    torch.testing.assert_close(build_pooling("avg_l2")(x).norm(dim=1), torch.ones(2))
    assert DGMP(lambda_init=1.0, normalize=False)(x).norm(dim=1).min() < 0.99


def test_errors() -> None:
    with pytest.raises(ValueError, match="no pooling 'average'; there are: avg, avg_l2, dgmp"):
        build_pooling("average")
    with pytest.raises(ValueError, match=r"x must be \(B, D, \*spatial\), got \(2, 3\)"):
        DGMP()(torch.rand(2, 3))
    with pytest.raises(ValueError, match=r"x must be \(B, \*spatial, D\), got \(2, 3\)"):
        DGMP(channels_last=True)(torch.rand(2, 3))
    with pytest.raises(ValueError, match=r"mask must be \(2, 4, 4\) for x \(2, 3, 4, 4\)"):
        DGMP()(torch.rand(2, 3, 4, 4), mask=torch.ones(2, 16, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"lambda_init must be at least 0\.001 .*, got -1"):
        DGMP(lambda_init=-1.0)
    for large in (1e39, float("inf")):
        with pytest.raises(ValueError, match=r"finite in torch\.float32, got (1e\+39|inf)"):
            DGMP(lambda_init=large)
    with pytest.raises(ValueError, match="cg_iterations must be positive, got 0"):
        DGMP(cg_iterations=0)
    with pytest.raises(TypeError, match="'max' has no setting r_init; it has: channels_last"):
        build_pooling("max", r_init=3.0)
    with pytest.raises(ValueError, match="floor must be positive, got 0"):
        DGMP(floor=0.0)


@pytest.mark.parametrize("pool", [DGMP(), DGMP(relative=True), build_pooling("avg_l2")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_gradient_of_a_sample_of_zeros_is_zero(pool: nn.Module, dtype: torch.dtype) -> None:
    x = torch.rand(2, 6, 3, 3).to(dtype)
    x[1] = 0
    x.requires_grad_()
    pooled = pool(x)
    (pooled * torch.arange(6)).sum().backward()
    assert not pooled[1].any()
    assert not x.grad[1].any()
    assert x.grad[0].any()


def test_unit_norm_of_what_is_too_long_or_short_for_its_type() -> None:
    long = 60000 * torch.rand(2, 64, 3, 3).half()  # the norm is above 65504
    norms = build_pooling("avg_l2")(long).float().norm(dim=1)
    torch.testing.assert_close(norms, torch.ones(2), rtol=1e-3, atol=0)
    torch.testing.assert_close(DGMP(1e15)(torch.rand(2, 6, 3, 3)).norm(dim=1), torch.ones(2))


def test_half_keeps_the_gradient_of_the_parameter() -> None:
    pool = DGMP()
    pool.lambda_.grad = torch.tensor(1e5)
    pool.half()
    assert torch.equal(pool.lambda_.grad, torch.tensor(1e5))
    torch.optim.Adam(pool.parameters()).step()


@pytest.mark.parametrize("name", POOLINGS)
def test_the_layout_is_shown(name: str) -> None:
    assert "channels_last=True" in repr(build_pooling(name, channels_last=True))
    assert "channels_last" not in repr(build_pooling(name))


def test_types_are_known_to_whoever_installs_it() -> None:
    assert Path(dgmp.__file__).with_name("py.typed").is_file()


@pytest.mark.parametrize("normalize", [False, True])
def test_output_may_be_changed_in_place(normalize: bool) -> None:
    x = torch.rand(2, 6, 3, 3, requires_grad=True)
    network = nn.Sequential(DGMP(normalize=normalize), nn.ReLU(inplace=True))
    network(x).sum().backward()
    assert x.grad.any()


def test_lambda_is_in_single_precision_whatever_the_default() -> None:
    torch.set_default_dtype(torch.float16)
    try:
        assert DGMP(1e5).lambda_.dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)

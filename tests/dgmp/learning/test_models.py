from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate

from dgmp.learning.backbones.resnet import narrow_resnet
from dgmp.learning.models import (
    Classifier,
    DescriptorNet,
    Rescale,
    Standardize,
    trained_state,
)
from dgmp.pooling.registry import build_pooling

WIDTH = 2


@pytest.mark.parametrize("pooling", ["avg", "dgmp", "lse"])
def test_property_descriptors_have_unit_length(pooling: str) -> None:
    net = DescriptorNet(Standardize(0.9, 0.2), narrow_resnet(WIDTH), build_pooling(pooling))
    lengths = net(torch.rand(3, 1, 64, 64)).norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(3))


def test_shapes_of_the_classifier() -> None:
    net = Classifier(Standardize(0.9, 0.2), narrow_resnet(WIDTH), build_pooling("avg"), classes=5)
    assert net(torch.rand(3, 1, 64, 64)).shape == (3, 5)


def test_standardize_makes_zero_mean_and_unit_deviation() -> None:
    x = torch.rand(4, 1, 8, 8)
    standardize = Standardize(x.mean().item(), x.std().item())
    out = standardize(x)
    assert out.mean().item() == pytest.approx(0, abs=1e-5)
    assert out.std().item() == pytest.approx(1, abs=1e-5)
    assert set(standardize.state_dict()) == {"mean", "sd"}


def test_bytes_are_standardized_as_floats_are() -> None:
    x = torch.randint(0, 2, (4, 1, 8, 8), dtype=torch.uint8)
    out = Standardize(0.9, 0.2)(x)
    assert out.dtype == torch.float32
    assert torch.equal(out, Standardize(0.9, 0.2)(x.float()))


@pytest.mark.parametrize("sd", [0.0, -1.0, float("nan")])
def test_errors_standardize_wants_a_positive_deviation(sd: float) -> None:
    with pytest.raises(ValueError, match="standard deviation of the input must be positive, got"):
        Standardize(0.5, sd)


@pytest.mark.parametrize(("side", "smaller"), [(400, 256), (96, 64), (40, 40)])
def test_oracle_rescaled_images_are_pils(side: int, smaller: int) -> None:
    ink = np.random.default_rng(0).random((side, side)) < 0.2
    expected = np.array(
        Image.fromarray(1 - ink.astype(np.float32)).resize(
            (smaller, smaller), Image.Resampling.BILINEAR
        )
    )
    # Bilevel patches reach the network as whole numbers.
    image = torch.from_numpy(1 - ink.astype(np.uint8))[None, None]
    found = Rescale(smaller / side)(image)
    torch.testing.assert_close(found[0, 0].float().numpy(), expected, atol=1e-5, rtol=0)
    if smaller < side:
        # PIL's own 8 bits, which the authors' code went through, are near.
        rounded = Image.fromarray(255 * (1 - ink.astype(np.uint8)))
        steps = np.asarray(rounded.resize((smaller, smaller), Image.Resampling.BILINEAR))
        assert np.abs(found[0, 0].numpy() - steps / 255).max() < 2 / 255


def test_property_a_network_that_scales_sees_the_scaled_image() -> None:
    backbone, pooling = narrow_resnet(WIDTH), build_pooling("avg")
    plain = DescriptorNet(Standardize(0.8, 0.4), backbone, pooling).eval()
    scaled = torch.nn.Sequential(Rescale(0.64), Standardize(0.8, 0.4))
    scaling = DescriptorNet(scaled, backbone, pooling).eval()
    x = torch.rand(2, 1, 100, 100)
    small = interpolate(x, (64, 64), mode="bilinear", antialias=True)
    torch.testing.assert_close(scaling(x), plain(small))
    assert trained_state(scaling).keys() == trained_state(plain).keys()


@pytest.mark.parametrize("kind", [DescriptorNet, partial(Classifier, classes=3)])
def test_trained_state_is_all_but_what_prepares(kind) -> None:
    trunk, tail = narrow_resnet(WIDTH).split(2)
    preparation = torch.nn.Sequential(Standardize(0.8, 0.4), trunk)
    net = kind(preparation, tail, build_pooling("dgmp"))
    state, whole = trained_state(net), net.state_dict()
    inside = {f"preparation.{key}" for key in preparation.state_dict()}
    assert len(inside) > 2
    assert state.keys() == whole.keys() - inside
    assert {name for name, p in net.named_parameters() if p.requires_grad} <= state.keys()
    assert all(torch.equal(value, whole[key]) for key, value in state.items())
    assert all(value.is_contiguous() for value in state.values())


def test_descriptors_without_the_norm_of_the_network_are_the_poolings() -> None:
    x = torch.rand(2, 1, 64, 64)
    for name, unit in (("avg", False), ("max", False), ("dgmp", True)):
        net = DescriptorNet(
            Standardize(0, 1), narrow_resnet(WIDTH), build_pooling(name), normalize=False
        ).eval()
        torch.testing.assert_close(net(x), net.pooling(net.backbone(x)))
        assert torch.allclose(net(x).norm(dim=1), torch.ones(2)) == unit

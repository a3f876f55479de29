import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate
from torchvision.models import resnet50

from dgmp.learning.models import (
    Classifier,
    DescriptorNet,
    NarrowResNet,
    Rescale,
    ResNet50,
    Standardize,
    build_backbone,
)
from dgmp.pooling.registry import build_pooling

WIDTH = 2
HEAD = ("avgpool", "fc")


@pytest.fixture(scope="module")
def big() -> ResNet50:
    torch.manual_seed(0)
    return ResNet50().eval()


@pytest.mark.parametrize(("last_stride", "reduction"), [(2, 32), (1, 16)])
def test_shapes_of_the_narrow_net(last_stride: int, reduction: int) -> None:
    net = NarrowResNet(WIDTH, last_stride=last_stride)
    volume = net(torch.rand(2, 1, 96, 64))
    assert volume.shape == (2, 32 * WIDTH, 96 // reduction, 64 // reduction)
    assert net.channels == 32 * WIDTH


def test_property_both_strides_of_the_narrow_net_take_the_same_weights() -> None:
    coarse, fine = (NarrowResNet(WIDTH, last_stride=stride).eval() for stride in (2, 1))
    fine.load_state_dict(coarse.state_dict())
    x = torch.rand(1, 1, 64, 64)
    # The last block is evaluated at twice as many places, among them those of stride 2.
    torch.testing.assert_close(fine(x)[:, :, ::2, ::2], coarse(x))


def test_oracle_state_of_resnet50_is_torchvisions_without_its_classifier(big: ResNet50) -> None:
    wanted = [key for key in resnet50().state_dict() if not key.startswith("fc.")]
    assert list(big.layers.state_dict()) == wanted


def test_oracle_features_of_resnet50_are_torchvisions(big: ResNet50) -> None:
    whole = resnet50().eval()
    whole.load_state_dict(big.layers.state_dict(), strict=False)
    layers = dict(whole.named_children())
    features = torch.nn.Sequential(*(layers[name] for name in layers if name not in HEAD))
    x = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(big(x), features(x.repeat(1, 3, 1, 1)))


def test_shapes_of_resnet50(big: ResNet50) -> None:
    fine = ResNet50(last_stride=1).eval()
    fine.load_state_dict(big.state_dict())
    x = torch.rand(1, 1, 64, 96)
    with torch.no_grad():
        coarse_volume, fine_volume = big(x), fine(x)
    assert coarse_volume.shape == (1, 2048, 2, 3)
    assert fine_volume.shape == (1, 2048, 4, 6)
    assert big.channels == 2048


@pytest.mark.parametrize("pooling", ["avg", "dgmp", "lse"])
def test_property_descriptors_have_unit_length(pooling: str) -> None:
    net = DescriptorNet(Standardize(0.9, 0.2), NarrowResNet(WIDTH), build_pooling(pooling))
    lengths = net(torch.rand(3, 1, 64, 64)).norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(3))


def test_shapes_of_the_classifier() -> None:
    net = Classifier(Standardize(0.9, 0.2), NarrowResNet(WIDTH), build_pooling("avg"), classes=5)
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


def test_errors_unknown_backbone() -> None:
    with pytest.raises(ValueError, match="no backbone 'vgg'; there are: narrow, resnet50"):
        build_backbone("vgg", 8, last_stride=2)


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
    backbone, pooling = NarrowResNet(WIDTH), build_pooling("avg")
    plain = DescriptorNet(Standardize(0.8, 0.4), backbone, pooling).eval()
    scaling = DescriptorNet(Standardize(0.8, 0.4), backbone, pooling, scale=0.64).eval()
    x = torch.rand(2, 1, 100, 100)
    small = interpolate(x, (64, 64), mode="bilinear", antialias=True)
    torch.testing.assert_close(scaling(x), plain(small))
    assert scaling.state_dict().keys() == plain.state_dict().keys()


def test_descriptors_without_the_norm_of_the_network_are_the_poolings() -> None:
    x = torch.rand(2, 1, 64, 64)
    for name, unit in (("avg", False), ("max", False), ("dgmp", True)):
        net = DescriptorNet(
            Standardize(0, 1), NarrowResNet(WIDTH), build_pooling(name), normalize=False
        ).eval()
        torch.testing.assert_close(net(x), net.pooling(net.backbone(x)))
        assert torch.allclose(net(x).norm(dim=1), torch.ones(2)) == unit

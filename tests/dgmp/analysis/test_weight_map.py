import pytest
import torch
from torch import Tensor, nn

from dgmp import DGMP
from dgmp.analysis.weight_map import enlarge, weight_map
from dgmp.learning.backbones.resnet import narrow_resnet

# Takes the channels of an image for activation maps.
IDENTITY = nn.Identity().eval()


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_smoke_on_a_residual_network() -> None:
    network = narrow_resnet(2, last_stride=1).eval()
    pooling = DGMP()
    image = torch.rand(1, 70, 96)
    weights = weight_map(network, pooling, image)
    assert weights.shape == (5, 6)
    assert weights.isfinite().all()
    assert not weights.requires_grad
    assert pooling.lambda_.grad is None
    assert enlarge(weights, image, stride=16).shape == (70, 96)


@pytest.mark.parametrize(("height", "width"), [(3, 4), (1, 7), (1, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_shapes(height: int, width: int, dtype: torch.dtype) -> None:
    weights = weight_map(IDENTITY, DGMP(), torch.rand(6, height, width).to(dtype))
    assert weights.shape == (height, width)
    assert weights.dtype == torch.float64


@pytest.mark.parametrize("maps", [4, 60])
def test_weights_agree_with_the_oracle(maps: int) -> None:
    # The dual system of Eq. 9 by a general solver; the layer takes the primal one for 4 maps.
    image = torch.rand(maps, 5, 6)
    phi = image.flatten(1).double()
    gram = phi.T @ phi + 0.5 * torch.eye(30, dtype=torch.float64)
    alpha = torch.linalg.solve(gram, torch.ones(30, dtype=torch.float64))
    expected = (alpha / alpha.mean()).reshape(5, 6)
    torch.testing.assert_close(weight_map(IDENTITY, DGMP(0.5), image), expected)


@pytest.mark.parametrize("lambda_", [0.01, 1.0, 1000.0])
@pytest.mark.parametrize("maps", [3, 50])
def test_property_weights_average_one(lambda_: float, maps: int) -> None:
    weights = weight_map(IDENTITY, DGMP(lambda_), torch.rand(maps, 5, 6))
    assert weights.mean().item() == pytest.approx(1)


def test_property_a_huge_lambda_gives_average_pooling() -> None:
    weights = weight_map(IDENTITY, DGMP(1e9), torch.rand(8, 5, 6))
    torch.testing.assert_close(weights, torch.ones_like(weights), rtol=0, atol=1e-6)


def test_property_equal_locations_share_a_weight() -> None:
    # Five times one descriptor and once another, of the same length and at a right angle.
    image = torch.zeros(2, 1, 6)
    image[0, 0, :5], image[1, 0, 5] = 1, 1
    weights = weight_map(IDENTITY, DGMP(0.001), image)[0]
    torch.testing.assert_close(weights[:5], weights[:1].expand(5))
    assert weights[:5].sum().item() == pytest.approx(weights[5].item(), rel=1e-3)


def test_property_blank_locations_weigh_most_and_may_leave_others_negative() -> None:
    image = torch.rand(3, 4, 4)
    image[:, 0, 0] = 0
    weights = weight_map(IDENTITY, DGMP(0.01), image)
    assert weights[0, 0] > 1
    image[:, 1, 1] = 5
    assert weight_map(IDENTITY, DGMP(0.01), image)[1, 1] < 0


@pytest.mark.parametrize(("height", "width", "stride"), [(96, 96, 16), (70, 33, 16), (9, 10, 3)])
def test_enlarged_weights_agree_with_the_nearest_location(
    height: int, width: int, stride: int
) -> None:
    weights = torch.rand(-(-height // stride), -(-width // stride))

    def nearest(length: int, count: int) -> Tensor:
        distance = (torch.arange(length)[:, None] - stride * torch.arange(count)).abs()
        # Halfway between two it is the second.
        return count - 1 - distance.flip(1).argmin(dim=1)

    rows, columns = nearest(height, weights.shape[0]), nearest(width, weights.shape[1])
    large = enlarge(weights, torch.zeros(1, height, width), stride=stride)
    assert torch.equal(large, weights[rows[:, None], columns])


def test_property_locations_of_the_backbone_are_centred_where_enlarge_puts_them() -> None:
    network = narrow_resnet(2, last_stride=1).eval()
    image = torch.rand(1, 1, 320, 320, requires_grad=True)
    network(image)[0, :, 9, 11].sum().backward()
    assert image.grad is not None
    seen = image.grad[0, 0].abs()
    pixels = torch.arange(320.0)
    centre = (seen.sum(1) @ pixels / seen.sum()).item(), (seen.sum(0) @ pixels / seen.sum()).item()
    assert centre == pytest.approx((9 * 16, 11 * 16), abs=4)


def test_errors() -> None:
    image = torch.rand(3, 8, 8)
    with pytest.raises(ValueError, match=r"image must be \(C, H, W\), got \(1, 3, 8, 8\)"):
        weight_map(IDENTITY, DGMP(), image.unsqueeze(0))
    with pytest.raises(ValueError, match="give a DGMP without it"):
        weight_map(IDENTITY, DGMP(channels_last=True), image)
    with pytest.raises(ValueError, match=r"training mode.*call network\.eval\(\) first"):
        weight_map(nn.Conv2d(3, 4, 3), DGMP(), image)
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    with pytest.raises(ValueError, match=r"must return activations \(1, D, h, w\), got \(1, 3\)"):
        weight_map(pooled, DGMP(), image)
    with pytest.raises(ValueError, match="activations that are not finite"):
        weight_map(IDENTITY, DGMP(), image * torch.nan)
    with pytest.raises(ValueError, match=r"weights must be \(2, 2\) for .* got \(8, 8\)"):
        enlarge(torch.rand(8, 8), image, stride=4)

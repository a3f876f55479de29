"""The backbones against the libraries that their weights were published with."""

import pytest
import torch
import torchvision
from torch import nn

from dgmp.learning.backbones.base import Backbone
from dgmp.learning.backbones.efficientnet_lite import SamePaddedConv2d, efficientnet_lite0
from dgmp.learning.backbones.registry import BACKBONES, build_backbone, load_published
from dgmp.learning.backbones.resnet import narrow_resnet, resnet18, resnet50

WIDTH = 2


def scattered(network: nn.Module) -> nn.Module:
    """Random statistics of the normalizations, which are 0 and 1 in a new network."""
    torch.manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.8, 1.2)
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.bias, std=0.1)
    return network.eval()


def as_published(backbone: Backbone) -> dict[str, torch.Tensor]:
    """The weights under other names, with those of a classifier."""
    named = {f"layer-{i}": value for i, value in enumerate(backbone.state_dict().values())}
    return named | {"_fc.weight": torch.zeros(3, 4), "fc.bias": torch.zeros(3)}


@pytest.mark.parametrize(("last_stride", "reduction"), [(2, 32), (1, 16)])
def test_shapes_of_the_narrow_net(last_stride, reduction):
    net = narrow_resnet(WIDTH, last_stride=last_stride)
    volume = net(torch.rand(2, 1, 96, 64))
    assert volume.shape == (2, 32 * WIDTH, 96 // reduction, 64 // reduction)
    assert net.channels == 32 * WIDTH


@pytest.mark.parametrize("name", BACKBONES)
def test_property_both_strides_take_the_same_weights(name):
    coarse, fine = (build_backbone(name, WIDTH, last_stride=stride) for stride in (2, 1))
    load_published(fine, as_published(scattered(coarse)))
    fine.eval()
    x = torch.rand(1, 1, 64, 96)
    with torch.no_grad():
        small, large = coarse(x), fine(x)
    assert small.shape == (1, coarse.channels, 2, 3)
    assert large.shape == (1, coarse.channels, 4, 6)
    assert small.std() > 0


def test_property_the_narrow_net_s_coarse_places_are_among_the_fine_ones():
    coarse, fine = (narrow_resnet(WIDTH, last_stride=stride).eval() for stride in (2, 1))
    fine.load_state_dict(coarse.state_dict())
    x = torch.rand(1, 1, 64, 64)
    torch.testing.assert_close(fine(x)[:, :, ::2, ::2], coarse(x))


@pytest.mark.parametrize("build", [resnet18, resnet50])
def test_oracle_volumes_are_torchvision_s(build):
    torch.manual_seed(0)
    whole = scattered(getattr(torchvision.models, build.__name__)())
    backbone = build().eval()
    load_published(backbone, whole.state_dict())
    features = nn.Sequential(*list(whole.children())[:-2])
    x = torch.rand(1, 1, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(backbone(x), features(x.repeat(1, 3, 1, 1)))
    # The stem, and each of torchvision's blocks.
    blocks = sum(len(getattr(whole, f"layer{stage}")) for stage in (1, 2, 3, 4))
    assert len(backbone.blocks) == 1 + blocks


@pytest.mark.parametrize("shape", [(224, 224), (97, 131)])
def test_oracle_volumes_of_efficientnet_lite0_are_timm_s(shape):
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    whole = scattered(timm.create_model("tf_efficientnet_lite0", pretrained=False))
    backbone = efficientnet_lite0().eval()
    state = {k: v for k, v in whole.state_dict().items() if not k.startswith("classifier.")}
    load_published(backbone, state)
    x = torch.rand(1, 1, *shape)
    with torch.no_grad():
        assert torch.equal(backbone(x), whole.forward_features(x.repeat(1, 3, 1, 1)))


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 2), (3, 1), (2, 3)])
@pytest.mark.parametrize("side", [1, 7, 8, 9])
def test_property_padding_gives_a_cell_for_each_begun_stride(kernel, stride, side):
    convolution = SamePaddedConv2d(1, 1, kernel, stride, bias=False)
    nn.init.ones_(convolution.weight)
    with torch.no_grad():
        # Each cell counts the pixels that it sees.
        seen = convolution(torch.ones(1, 1, side, side + 1))[0, 0]
    assert seen.shape == (-(-side // stride), -(-(side + 1) // stride))
    assert seen.min() >= 1
    assert seen.max() <= kernel**2
    # Where the zeros are odd in number, one more is at the end.
    assert seen[0, 0] >= seen[-1, -1]


@pytest.mark.parametrize("name", BACKBONES)
def test_activations_leave_in_single_precision_or_in_that_of_the_image(name):
    backbone = build_backbone(name, WIDTH, last_stride=1).eval()
    x = torch.rand(1, 1, 32, 32)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert backbone(x).dtype == torch.float32
    with torch.no_grad():
        assert backbone(x.half()).dtype == torch.float32
        assert backbone.double()(x.double()).dtype == torch.float64


def test_published_weights_are_taken_over_in_their_order():
    theirs, ours = scattered(narrow_resnet(WIDTH)), narrow_resnet(WIDTH)
    load_published(ours, as_published(theirs))
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=0)


def test_errors_of_published_weights():
    ours = narrow_resnet(WIDTH)
    before = {key: value.clone() for key, value in ours.state_dict().items()}
    state, count = as_published(narrow_resnet(WIDTH)), len(before)
    fewer = {key: value for key, value in state.items() if key != "layer-1"}
    with pytest.raises(ValueError, match=f"{count} weights .* are wanted, got {count - 1}"):
        load_published(ours, fewer)
    other = state | {"layer-0": torch.zeros(2, 3, 7, 7)}
    message = r"layer-0 is \(2, 3, 7, 7\), but \(2, 1, 7, 7\) is wanted for blocks\.0\.0\.weight"
    with pytest.raises(ValueError, match=message):
        load_published(ours, other)
    torch.testing.assert_close(ours.state_dict(), before, rtol=0, atol=0)


def test_errors_unknown_backbone():
    message = "no backbone 'vgg'; there are: narrow, efficientnet-lite0, resnet18, resnet50"
    with pytest.raises(ValueError, match=message):
        build_backbone("vgg", 8, last_stride=2)

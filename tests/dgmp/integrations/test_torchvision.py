"""The pooling in networks of torchvision, and in a network of one's own."""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.feature_extraction import create_feature_extractor

from dgmp import DGMP
from dgmp.integrations import replace_pooling

BLOCKS = [models.convnext.CNBlockConfig(8, 16, 1), models.convnext.CNBlockConfig(16, None, 1)]
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "convnext": lambda: models.ConvNeXt(BLOCKS, num_classes=5),
    "densenet": lambda: models.DenseNet(4, (1, 1), 8, num_classes=5),
    "maxvit": lambda: models.MaxVit((32, 32), 8, 4, [8], [1], 8, 0.0, num_classes=5),
    "mnasnet": lambda: models.MNASNet(0.1, num_classes=5),
    "mobilenet v2": lambda: models.MobileNetV2(num_classes=5, width_mult=0.1),
    "mobilenet v3": lambda: models.mobilenet_v3_small(num_classes=5),
    "resnet": lambda: models.ResNet(models.resnet.BasicBlock, [1, 1, 1, 1], num_classes=5),
    "shufflenet": lambda: models.ShuffleNetV2([1, 1, 1], [8, 8, 16, 32, 64], num_classes=5),
    "swin": lambda: models.SwinTransformer([4, 4], 8, [2], [2], [4, 4], num_classes=5),
}
# The last module before the pooling, and what stands between them.
LAST = {
    "convnext": ("features", nn.Identity()),
    "densenet": ("features", nn.ReLU()),
    "maxvit": ("blocks.0", nn.Identity()),
    "mnasnet": ("layers", nn.Identity()),
    "mobilenet v2": ("features", nn.Identity()),
    "mobilenet v3": ("features", nn.Identity()),
    "resnet": ("layer4", nn.Identity()),
    "shufflenet": ("conv5", nn.Identity()),
    "swin": ("permute", nn.Identity()),
}
CALLED_IN_FORWARD = ("densenet", "mnasnet", "mobilenet v2", "shufflenet")
X = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    return NETWORKS[name]().eval()


def outputs(model: nn.Module, names: list[str], x: Tensor) -> list[Tensor]:
    """What these modules give in a call, copied before anything changes it in place."""
    seen: dict[str, Tensor] = {}
    handles = [
        model.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: seen.update({name: output.clone()})
        )
        for name in names
    ]
    model(x)
    for handle in handles:
        handle.remove()
    return [seen[name] for name in names]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_layer_pools_the_last_map(name: str) -> None:
    model = network(name)
    done = replace_pooling(model, "dgmp", lambda_init=5.0)
    assert ("a mean in forward" in str(done)) == (name in CALLED_IN_FORWARD)
    last, between = LAST[name]
    volume, pooled = outputs(model, [last, done.path], X)
    torch.testing.assert_close(pooled.flatten(1), DGMP(5.0)(between(volume)))
    scores = model(X)
    assert scores.shape == (2, 5)
    (scores * torch.randn(5)).sum().backward()
    assert done.module.pooling.lambda_.grad.abs() > 0


@pytest.mark.parametrize("name", CALLED_IN_FORWARD)
def test_with_average_pooling_the_network_computes_what_it_did(name: str) -> None:
    model, wanted = network(name), network(name)
    replace_pooling(model, "avg")
    torch.testing.assert_close(model(X), wanted(X))
    model.load_state_dict(wanted.state_dict())


@pytest.mark.parametrize("name", NETWORKS)
def test_copies_and_state_dicts(name: str) -> None:
    model = network(name)
    done = replace_pooling(model, "dgmp", lambda_init=5.0)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        torch.testing.assert_close(other(X), model(X))
        replace_pooling(other, "max")
        assert (other(X) != model(X)).any()
        assert model.get_submodule(done.path) is done.module
    fresh = network(name)
    replace_pooling(fresh, "dgmp", lambda_init=7.0)
    fresh.load_state_dict(model.state_dict())
    torch.testing.assert_close(fresh(X), model(X))


def test_tokens_of_the_vision_transformer() -> None:
    torch.manual_seed(0)
    model = models.VisionTransformer(32, 8, 1, 2, 16, 32, num_classes=5).eval()
    nn.init.normal_(model.heads.head.weight)
    done = replace_pooling(model, "dgmp", lambda_init=5.0)
    tokens, pooled = outputs(model, ["encoder", "token_pooling"], X)
    torch.testing.assert_close(pooled, DGMP(5.0)(tokens[:, 1:].mT))
    torch.testing.assert_close(model(X), model.heads(pooled))
    (model(X) * torch.randn(5)).sum().backward()
    assert done.module.pooling.lambda_.grad.abs() > 0
    with pytest.raises(ValueError, match="has a Sequential behind its pooling"):
        replace_pooling(model, "dgmp", class_token="apart")
    model.heads = nn.Identity()
    replace_pooling(model, "dgmp", class_token="apart", lambda_init=5.0)
    torch.testing.assert_close(model(X), torch.cat([tokens[:, 0], pooled], dim=1))
    torch.testing.assert_close(copy.deepcopy(model)(X), model(X))


@pytest.mark.parametrize("name", ["resnet", "densenet"])
def test_features_are_extracted(name: str) -> None:
    model = network(name)
    replace_pooling(model, "dgmp", lambda_init=5.0)
    extractor = create_feature_extractor(model, {"avgpool.pooling": "descriptor"})
    (pooled,) = outputs(model, ["avgpool"], X)
    torch.testing.assert_close(extractor(X)["descriptor"], pooled.flatten(1))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (models.vgg11, r"VGG.avgpool is AdaptiveAvgPool2d.* makes \(1, 2, 7, 7\)"),
        (models.squeezenet1_1, "SqueezeNet of torchvision has no module avgpool"),
        (lambda: nn.Sequential(nn.Linear(2, 2)), "Sequential is of none of timm, torchvision"),
    ],
)
def test_what_is_not_understood_is_refused(build, message: str) -> None:
    with torch.device("meta"):
        model = build()
    with pytest.raises(ValueError, match=message):
        replace_pooling(model)


def test_a_network_of_ones_own() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.avgpool = nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1)

        def forward(self, x: Tensor) -> Tensor:
            return self.avgpool(self.layer(x)).squeeze((2, 3))

    model = Own().double()
    done = replace_pooling(model, "dgmp", lambda_init=5.0)
    torch.testing.assert_close(model(X.double()), DGMP(5.0)(model.layer(X.double())))
    assert done.path == "avgpool"
    model.avgpool = nn.AvgPool2d(2)
    with pytest.raises(ValueError, match=r"makes \(1, 2, 1, 2\)"):
        replace_pooling(model)


def test_videos() -> None:
    with torch.device("meta"):
        done = replace_pooling(models.video.r3d_18(), "dgmp")
    assert str(done).startswith("avgpool: AdaptiveAvgPool3d -> DGMP")
    assert done.module.kept_axes == 3
    x = torch.rand(2, 3, 2, 4, 4)
    model = nn.Sequential()
    model.avgpool = nn.AdaptiveAvgPool3d(1)
    replace_pooling(model, "dgmp", lambda_init=5.0)
    torch.testing.assert_close(model(x), DGMP(5.0)(x)[:, :, None, None, None])

"""A backbone cut in two: a frozen trunk, and the last blocks."""

import pytest
import torch
from torch import nn

from dgmp.learning.backbones.base import Backbone
from dgmp.learning.backbones.efficientnet_lite import efficientnet_lite0
from dgmp.learning.backbones.resnet import narrow_resnet, resnet18
from tests.dgmp.learning.backbones.test_networks import scattered

BUILDS = {
    "narrow": lambda: narrow_resnet(2),
    "efficientnet-lite0": efficientnet_lite0,
    "resnet18": resnet18,
}


@pytest.fixture(scope="module", params=BUILDS)
def backbone(request) -> Backbone:
    torch.manual_seed(0)
    return scattered(BUILDS[request.param]())


def statistics(network: nn.Module) -> list[torch.Tensor]:
    return [
        value.clone()
        for module in network.modules()
        if isinstance(module, nn.BatchNorm2d)
        for value in (module.running_mean, module.running_var)
    ]


@torch.no_grad()
def test_oracle_trunk_and_tail_are_the_whole(backbone):
    x = torch.rand(2, 1, 64, 64)
    whole, blocks = backbone(x), len(backbone.blocks)
    for trainable in sorted({0, 1, 2, blocks // 2, blocks - 1}):
        trunk, tail = backbone.split(trainable)
        assert len(tail.blocks) == trainable
        assert tail.channels == backbone.channels
        torch.testing.assert_close(tail.eval()(trunk(x)), whole, rtol=1e-4, atol=1e-4)


def test_property_a_trunk_has_fewer_layers_and_leaves_the_backbone_as_it_is(backbone):
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    trunk, _ = backbone.split(1)

    def normalizations(network: nn.Module) -> int:
        return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())

    assert normalizations(trunk) < normalizations(backbone.blocks[:-1])
    for weight in trunk.parameters():
        weight.data.zero_()
    torch.testing.assert_close(backbone.state_dict(), before, rtol=0, atol=0)
    assert all(weight.requires_grad for weight in backbone.parameters())


def test_folded_normalizations_of_efficientnet_are_gone():
    trunk, _ = efficientnet_lite0().split(0)
    assert not statistics(trunk)


def test_training_changes_neither_the_trunk_nor_any_statistics(backbone):
    trunk, tail = backbone.split(2)
    network = nn.Sequential(trunk, tail).train()
    assert tail.training
    assert not any(module.training for module in trunk.modules())
    fixed = [*trunk.state_dict().values()]
    before = [value.clone() for value in fixed], statistics(tail)
    weights = [weight.clone() for weight in tail.parameters()]
    network(torch.rand(2, 1, 64, 64)).square().mean().backward()
    assert all(weight.grad is None for weight in trunk.parameters())
    assert all(weight.grad is not None for weight in tail.parameters())
    torch.optim.SGD([w for w in network.parameters() if w.requires_grad], lr=0.1).step()
    after = fixed, statistics(tail)
    torch.testing.assert_close(after, before, rtol=0, atol=0)
    assert any(not torch.equal(a, b) for a, b in zip(tail.parameters(), weights, strict=True))
    assert statistics(tail)


def test_property_frozen_statistics_make_training_what_evaluation_is(backbone):
    trunk, tail = backbone.split(2)
    with torch.no_grad():
        x = trunk(torch.rand(2, 1, 64, 64))
        torch.testing.assert_close(tail.train()(x), tail.eval()(x), rtol=0, atol=0)


def test_without_a_trunk_statistics_are_learned():
    network = narrow_resnet(2).train()
    before = statistics(network)
    with torch.no_grad():
        network(torch.rand(2, 1, 64, 64))
    assert all(not torch.equal(a, b) for a, b in zip(statistics(network), before, strict=True))


@pytest.mark.parametrize("trainable", [-1, 5, 6])
def test_errors_of_the_cut(trainable):
    message = f"{trainable} trainable blocks of 5: a trunk needs 0 to 4"
    with pytest.raises(ValueError, match=message):
        narrow_resnet(2).split(trainable)

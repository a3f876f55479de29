"""The optimizer's groups of a network with a pooling."""

import pytest
import torch
from torch import nn

from dgmp import DGMP, build_pooling
from dgmp.integrations import pooling_parameters, replace_pooling
from dgmp.learning.backbones.registry import build_backbone
from dgmp.learning.models import DescriptorNet, Standardize
from dgmp.learning.optimizer import OptimizerSettings, build_optimizer


def test_they_are_the_groups_of_the_papers_networks() -> None:
    backbone = build_backbone("narrow", 1, last_stride=2)
    for name in ("avg", "dgmp", "gem"):
        model = DescriptorNet(Standardize(0.5, 0.5), backbone, build_pooling(name))
        settings = OptimizerSettings(2e-4, 1e-5, pooling_multiplier=1000.0)
        wanted = build_optimizer(model, settings).param_groups
        groups = pooling_parameters(model, 2e-4, multiplier=1000)
        found = torch.optim.Adam(groups, amsgrad=True, weight_decay=1e-5).param_groups
        assert found == wanted


def test_only_the_pooling_takes_long_steps_without_decay() -> None:
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Unflatten(1, (4, 1)), DGMP(5.0))
    before = model[0].weight.clone()
    groups = pooling_parameters(model, lr=0.1, multiplier=100, weight_decay=0.0)
    optimizer = torch.optim.SGD(groups, weight_decay=0.5)
    model[0].weight.grad = torch.zeros_like(before)
    model[2].lambda_.grad = torch.tensor(-0.25)
    optimizer.step()
    torch.testing.assert_close(model[0].weight, before * (1 - 0.1 * 0.5))
    assert model[2].lambda_ == 5 + 0.1 * 100 * 0.25


def test_every_parameter_is_in_one_group_and_a_fixed_one_in_none() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.avgpool = nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1)

    model = Own()
    with pytest.raises(ValueError, match="Own has no pooling of dgmp"):
        pooling_parameters(model, 0.1)
    replace_pooling(model, "dgmp")
    backbone, pooling = pooling_parameters(model, 0.1, weight_decay=0.01)
    assert pooling["params"] == [model.avgpool.pooling.lambda_]
    assert (pooling["lr"], pooling["weight_decay"]) == (100, 0.01)
    assert {id(p) for p in backbone["params"]} == {id(p) for p in model.layer.parameters()}
    replace_pooling(model, "dgmp", learnable=False)
    (backbone,) = pooling_parameters(model, 0.1)
    assert len(backbone["params"]) == 2
    model.second = model.avgpool.pooling.requires_grad_()  # one layer at two places
    assert len(pooling_parameters(model, 0.1)[1]["params"]) == 1


def test_the_rate_of_each_pooling_suits_what_it_learns() -> None:
    model = nn.Module()
    model.absolute, model.relative, model.gem = DGMP(), DGMP(relative=True), build_pooling("gem")
    fast, slow = pooling_parameters(model, 0.1)
    assert (fast["lr"], fast["params"]) == (100, [model.absolute.lambda_])
    assert (slow["lr"], slow["params"]) == (0.1, [model.relative.lambda_, *model.gem.parameters()])
    (both,) = pooling_parameters(model, 0.1, multiplier=10)
    assert (both["lr"], len(both["params"])) == (1, 3)

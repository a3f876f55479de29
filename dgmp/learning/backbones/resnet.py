"""ResNets up to their last activation volume, built from torchvision's blocks.

torchvision is loaded when one of them is built: it takes as long as all else that a stage needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from dgmp.learning.backbones.base import Backbone, Repeat


def resnet50(*, last_stride: int = 2) -> Backbone:
    """ResNet-50 for one-channel input: stem and 16 bottlenecks, 2048 channels.

    Args:
        last_stride: Of the last stage: 2, or 1 for H / 16 in place of H / 32 (section IV-C.2).
    """
    from torchvision.models import resnet50 as network

    return _cut(network(), 2048, last_stride)


def resnet18(*, last_stride: int = 2) -> Backbone:
    """ResNet-18 for one-channel input: stem and 8 blocks, 512 channels; see `resnet50`."""
    from torchvision.models import resnet18 as network

    return _cut(network(), 512, last_stride)


def narrow_resnet(width: int, *, last_stride: int = 2) -> Backbone:
    """ResNet-50's build, narrow, with one bottleneck a stage: for trying things in seconds.

    Args:
        width: Channels of the stem; the output has 32 times as many. ResNet-50 has 64.
        last_stride: See `resnet50`.
    """
    from torchvision.models.resnet import Bottleneck

    blocks: list[nn.Module] = [
        nn.Sequential(
            nn.Conv2d(1, width, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
    ]
    channels = width
    for stage, stride in enumerate((1, 2, 2, last_stride)):
        planes = width * 2**stage
        blocks.append(_bottleneck(Bottleneck, channels, planes, stride))
        channels = planes * Bottleneck.expansion
    backbone = Backbone(nn.Sequential(*blocks), channels)
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return backbone


def _cut(network: Any, channels: int, last_stride: int) -> Backbone:
    first = network.layer4[0]
    strided = first.conv2 if hasattr(first, "conv3") else first.conv1
    strided.stride = first.downsample[0].stride = (last_stride, last_stride)
    stem = nn.Sequential(Repeat(), network.conv1, network.bn1, network.relu, network.maxpool)
    stages = (network.layer1, network.layer2, network.layer3, network.layer4)
    return Backbone(nn.Sequential(stem, *(block for stage in stages for block in stage)), channels)


def _bottleneck(
    build: Callable[..., nn.Module], channels: int, planes: int, stride: int
) -> nn.Module:
    out = planes * 4
    shortcut = nn.Sequential(
        nn.Conv2d(channels, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out)
    )
    return build(channels, planes, stride, shortcut)

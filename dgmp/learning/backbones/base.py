"""A network up to its last activation volume, as a row of blocks that can be cut in two."""

from __future__ import annotations

import copy
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval


class Backbone(nn.Module):
    """Blocks one after the other, from an image or from a frozen trunk's activations.

    Args:
        blocks: At least one.
        channels: Of the last activation volume, D.
        frozen_statistics: Keeps the running means and variances of batch normalization as they
            are, in training too.

    Shape:
        (B, 1, H, W), or what the trunk gives -> (B, D, H', W'); in float32, or in the type of the
        input where that is wider, under autocast too.
    """

    def __init__(
        self, blocks: nn.Sequential, channels: int, *, frozen_statistics: bool = False
    ) -> None:
        super().__init__()
        self.blocks, self.channels = blocks, channels
        self.frozen_statistics = frozen_statistics

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        volume: Tensor = self.blocks(x)
        return volume.to(x.dtype)

    def train(self, mode: bool = True) -> Self:
        """Switch to training, but for what is frozen."""
        super().train(mode)
        if self.frozen_statistics:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def split(self, trainable: int) -> tuple[Trunk, Backbone]:
        """The frozen trunk, and after it the last `trainable` blocks, with frozen statistics.

        The trunk is a copy with the weights of now.

        Raises:
            ValueError: fewer than 0, or not fewer than there are.
        """
        count = len(self.blocks)
        if not 0 <= trainable < count:
            raise ValueError(
                f"{trainable} trainable blocks of {count}: a trunk needs 0 to {count - 1}"
            )
        cut = count - trainable
        return Trunk(self.blocks[:cut]), Backbone(
            self.blocks[cut:], self.channels, frozen_statistics=True
        )


class Trunk(nn.Module):
    """A copy of the first blocks, frozen: always in evaluation, without gradients.

    Normalizations that directly follow a convolution are folded into its weights, which nearly
    doubles the speed.

    Shape:
        (B, 1, H, W) -> (B, C, H', W').
    """

    def __init__(self, blocks: nn.Sequential) -> None:
        super().__init__()
        self.blocks = _folded(copy.deepcopy(blocks).eval())
        self.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        activations: Tensor = self.blocks(x)
        return activations


class Repeat(nn.Module):
    """A grey image as the three equal channels that ImageNet's networks read."""

    def forward(self, x: Tensor) -> Tensor:
        return x.expand(-1, 3, -1, -1)


def _folded(module: nn.Module) -> nn.Module:
    """The module with the normalizations in its rows of layers folded into their convolutions."""
    for name, child in module.named_children():
        module.add_module(name, _folded(child))
    if not isinstance(module, nn.Sequential):
        return module
    layers: list[nn.Module] = []
    for layer in module:
        before = layers[-1] if layers else None
        if isinstance(layer, nn.BatchNorm2d) and isinstance(before, nn.Conv2d):
            layers[-1] = fuse_conv_bn_eval(before, layer)
        else:
            layers.append(layer)
    return nn.Sequential(*layers)

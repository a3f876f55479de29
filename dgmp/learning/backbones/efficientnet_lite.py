"""EfficientNet-Lite0 (Tan and Le 2019, without squeeze-and-excitation, with ReLU6).

Blocks, kernels and the padding are those of TensorFlow's release, from which the published weights
were converted: with stride 2 an even side gets its one row of zeros at the end.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import pad

from dgmp.learning.backbones.base import Backbone, Repeat

CHANNELS = 1280
STAGES = (
    # expansion, channels, blocks, stride, kernel
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
STEM = 32


def efficientnet_lite0(*, last_stride: int = 2) -> Backbone:
    """EfficientNet-Lite0 up to its last volume, for one-channel input: 18 blocks, 1280 channels.

    The blocks are the stem, 16 inverted bottlenecks and the 1x1 convolution of the head.

    Args:
        last_stride: Of the last block that has a stride: 2, or 1 for H / 16.
    """
    blocks: list[nn.Module] = [nn.Sequential(Repeat(), *_convolution(3, STEM, 3, stride=2))]
    channels = STEM
    last = max(number for number, stage in enumerate(STAGES) if stage[3] == 2)
    for number, (expansion, out, count, stride, kernel) in enumerate(STAGES):
        for place in range(count):
            step = 1 if place else last_stride if number == last else stride
            blocks.append(InvertedBottleneck(channels, out, expansion, kernel, step))
            channels = out
    blocks.append(nn.Sequential(*_convolution(channels, CHANNELS, 1)))
    return Backbone(nn.Sequential(*blocks), CHANNELS)


class InvertedBottleneck(nn.Module):
    """Expansion, depthwise convolution, projection; added to the input where the shapes agree."""

    def __init__(self, channels: int, out: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.layers = nn.Sequential(
            *(_convolution(channels, wide, 1) if expansion > 1 else ()),
            *_convolution(wide, wide, kernel, stride=stride, groups=wide),
            *_convolution(wide, out, 1)[:-1],
        )
        self.residual = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


class SamePaddedConv2d(nn.Conv2d):
    """A convolution with zeros around the image, so that it gives ceil(side / stride) cells."""

    def forward(self, x: Tensor) -> Tensor:
        padding = [
            part
            for axis in (1, 0)
            for part in self._missing(x.shape[axis - 2], self.kernel_size[axis], self.stride[axis])
        ]
        return super().forward(pad(x, padding))

    @staticmethod
    def _missing(side: int, kernel: int, stride: int) -> tuple[int, int]:
        total = max(0, (-(-side // stride) - 1) * stride + kernel - side)
        return total // 2, total - total // 2


def _convolution(
    channels: int, out: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    convolution = (
        SamePaddedConv2d(channels, out, kernel, stride, groups=groups, bias=False)
        if stride > 1
        # With stride 1 the padding is even on both sides, and the convolution's own.
        else nn.Conv2d(channels, out, kernel, padding=kernel // 2, groups=groups, bias=False)
    )
    return [convolution, nn.BatchNorm2d(out, eps=1e-3, momentum=0.01), nn.ReLU6(inplace=True)]

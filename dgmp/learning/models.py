"""The networks: a residual backbone, a global pooling, and what comes after it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize
from torchvision.models.resnet import Bottleneck, ResNet

from dgmp.pooling.base import GlobalPooling


class NarrowResNet(nn.Module):
    """ResNet-50's build (torchvision's stem and bottlenecks), narrow and one block a stage.

    Args:
        width: Channels of the stem; the output has 32 times as many. ResNet-50 has 64.
        last_stride: Stride of the last block: 2, or 1 for twice the resolution.

    Shape:
        (B, 1, H, W) -> (B, 32 * width, H / 32, W / 32), or H / 16 with last_stride 1; in the type
        of the input, under autocast too.
    """

    def __init__(self, width: int, *, last_stride: int = 2) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, width, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        strides = (1, 2, 2, last_stride)
        self.stages = nn.Sequential()
        channels = width
        for stage, stride in enumerate(strides):
            planes = width * 2**stage
            self.stages.append(_bottleneck(channels, planes, stride))
            channels = planes * Bottleneck.expansion
        self.channels = channels
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        volume: Tensor = self.stages(self.stem(x))
        return volume.to(x.dtype)


def _bottleneck(channels: int, planes: int, stride: int) -> Bottleneck:
    out = planes * Bottleneck.expansion
    shortcut = nn.Sequential(
        nn.Conv2d(channels, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out)
    )
    return Bottleneck(channels, planes, stride, shortcut)


class ResNet50(nn.Module):
    """torchvision's ResNet-50 up to the last activation volume, for one-channel input.

    Shape:
        (B, 1, H, W) -> (B, 2048, H / 32, W / 32), or H / 16 with last_stride 1 (section IV-C.2);
        in the type of the input, under autocast too.
    """

    channels = 2048

    def __init__(self, *, last_stride: int = 2) -> None:
        super().__init__()
        self.layers = ResNet(Bottleneck, [3, 4, 6, 3])
        self.layers.fc = nn.Identity()
        first = self.layers.layer4[0]
        first.conv2.stride = (last_stride, last_stride)
        first.downsample[0].stride = (last_stride, last_stride)

    def forward(self, x: Tensor) -> Tensor:
        net = self.layers
        x = x.expand(-1, 3, -1, -1)
        x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
        volume: Tensor = net.layer4(net.layer3(net.layer2(net.layer1(x))))
        return volume.to(x.dtype)


Backbone = NarrowResNet | ResNet50
BACKBONES: dict[str, Callable[[int, int], Backbone]] = {
    "narrow": lambda width, stride: NarrowResNet(width, last_stride=stride),
    "resnet50": lambda width, stride: ResNet50(last_stride=stride),
}


def build_backbone(name: str, width: int, *, last_stride: int) -> Backbone:
    """The backbone of that name; `width` is the narrow one's.

    Raises:
        ValueError: there is no backbone of that name.
    """
    if name not in BACKBONES:
        raise ValueError(f"no backbone {name!r}; there are: {', '.join(BACKBONES)}")
    return BACKBONES[name](width, last_stride)


class Standardize(nn.Module):
    """Input with zero mean and unit standard deviation (section IV-C.1)."""

    mean: Tensor
    sd: Tensor

    def __init__(self, mean: float, sd: float) -> None:
        super().__init__()
        if not sd > 0:
            raise ValueError(f"the standard deviation of the input must be positive, got {sd}")
        self.register_buffer("mean", torch.tensor(float(mean)))
        self.register_buffer("sd", torch.tensor(float(sd)))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.sd


class Rescale(nn.Module):
    """Images scaled by a factor, bilinearly and without aliasing, as by PIL and torchvision.

    Shape:
        (B, C, H, W) -> (B, C, scale * H, scale * W), rounded.
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        if self.scale == 1:
            return x
        size = [round(length * self.scale) for length in x.shape[-2:]]
        tones = x if x.is_floating_point() else x.float()
        return interpolate(tones, size, mode="bilinear", antialias=True)

    def extra_repr(self) -> str:
        return f"scale={self.scale:g}"


class DescriptorNet(nn.Module):
    """Image -> descriptor, for writer retrieval (section IV-C.1).

    Args:
        standardize: First step of the network.
        backbone: Up to the activation volume.
        pooling: Of the volume.
        scale: Images are scaled by this factor before everything else.
        normalize: Whether descriptors of every pooling get unit l2 norm; if not, they leave as
            the pooling made them.

    Shape:
        (B, 1, H, W) -> (B, D).
    """

    def __init__(
        self,
        standardize: Standardize,
        backbone: Backbone,
        pooling: GlobalPooling,
        *,
        scale: float = 1.0,
        normalize: bool = True,
    ):
        super().__init__()
        self.rescale = Rescale(scale)
        self.standardize, self.backbone, self.pooling = standardize, backbone, pooling
        self.normalize = normalize

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.pooling(self.backbone(self.standardize(self.rescale(x))))
        return normalize(pooled, dim=1) if self.normalize else pooled


class Classifier(nn.Module):
    """Image -> scores of the classes: pooling, then one linear layer (section IV-C.2).

    Shape:
        (B, 1, H, W) -> (B, classes).
    """

    def __init__(
        self, standardize: Standardize, backbone: Backbone, pooling: GlobalPooling, classes: int
    ):
        super().__init__()
        self.standardize, self.backbone, self.pooling = standardize, backbone, pooling
        self.head = nn.Linear(backbone.channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.pooling(self.backbone(self.standardize(x))))
        return scores

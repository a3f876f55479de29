"""The networks: a backbone, a global pooling, and what comes before and after."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize

from dgmp.learning.backbones.base import Backbone
from dgmp.pooling.base import GlobalPooling


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
        preparation: What images go through before the trained part: scale, standardization, and
            the trunk where the first blocks are frozen. nn.Identity() where the trunk's activations
            are the input.
        backbone: Up to the activation volume.
        pooling: Of the volume.
        normalize: Whether descriptors of every pooling get unit l2 norm; if not, they leave as
            the pooling made them.

    Shape:
        (B, 1, H, W), or what the trunk gives -> (B, D).
    """

    def __init__(
        self,
        preparation: nn.Module,
        backbone: Backbone,
        pooling: GlobalPooling,
        *,
        normalize: bool = True,
    ):
        super().__init__()
        self.preparation, self.backbone, self.pooling = preparation, backbone, pooling
        self.normalize = normalize

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.pooling(self.backbone(self.preparation(x)))
        return normalize(pooled, dim=1) if self.normalize else pooled


class Classifier(nn.Module):
    """Image -> scores of the classes: pooling, then one linear layer (section IV-C.2).

    Shape:
        (B, 1, H, W), or what the trunk gives -> (B, classes).
    """

    def __init__(
        self, preparation: nn.Module, backbone: Backbone, pooling: GlobalPooling, classes: int
    ):
        super().__init__()
        self.preparation, self.backbone, self.pooling = preparation, backbone, pooling
        self.head = nn.Linear(backbone.channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.pooling(self.backbone(self.preparation(x))))
        return scores


def trained_state(model: nn.Module) -> dict[str, Tensor]:
    """The weights of what is trained: backbone, pooling and head, without the preparation."""
    return {
        key: value.contiguous()
        for key, value in model.state_dict().items()
        if not key.startswith("preparation.")
    }

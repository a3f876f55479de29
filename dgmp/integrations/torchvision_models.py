"""Where the networks of torchvision pool (read at torchvision 0.29.1)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dgmp.integrations.places import MapPlace, TokenPlace, map_place, submodule
from dgmp.integrations.subclassing import Mixin, inherit, own_class


def torchvision_place(model: nn.Module) -> MapPlace | TokenPlace:
    """The place of a network of torchvision.

    Most have a module `avgpool`, MaxViT has one in its classifier. The others are given one, and a
    forward that calls it.

    Raises:
        ValueError: the network pools in another way.
    """
    name = own_class(model).__name__
    path = "classifier.0" if name == "MaxVit" else "avgpool"
    if submodule(model, path) is not None:
        return map_place(model, path)
    if name in FORWARDS:
        return MapPlace(path, "a mean in forward", lambda a: _add(model, path, a, FORWARDS[name]))
    if name == "VisionTransformer":
        return TokenPlace(
            "token_pooling",
            "the class token",
            lambda adapter: _add(model, "token_pooling", adapter, _VisionTransformer),
            prefix_tokens=1,
            followers=(model.get_submodule("heads"),),
        )
    known = ", ".join([*FORWARDS, "VisionTransformer"])
    raise ValueError(
        f"{name} of torchvision has no module avgpool, and its forward is none of those known "
        f"({known}); put the layer behind its last map"
    )


def _add(model: nn.Module, name: str, adapter: nn.Module, mixin: type[Mixin]) -> None:
    setattr(model, name, adapter)
    inherit(model, mixin)


class _DenseNet(Mixin):
    features: nn.Module
    avgpool: nn.Module
    classifier: nn.Module

    def forward(self, x: Tensor) -> Any:
        volume = nn.functional.relu(self.features(x), inplace=True)
        return self.classifier(self.avgpool(volume))


class _MNASNet(Mixin):
    layers: nn.Module
    avgpool: nn.Module
    classifier: nn.Module

    def forward(self, x: Tensor) -> Any:
        return self.classifier(self.avgpool(self.layers(x)))


class _MobileNetV2(Mixin):
    features: nn.Module
    avgpool: nn.Module
    classifier: nn.Module

    def forward(self, x: Tensor) -> Any:
        return self.classifier(self.avgpool(self.features(x)))


class _ShuffleNetV2(Mixin):
    conv1: nn.Module
    maxpool: nn.Module
    stage2: nn.Module
    stage3: nn.Module
    stage4: nn.Module
    conv5: nn.Module
    avgpool: nn.Module
    fc: nn.Module

    def forward(self, x: Tensor) -> Any:
        x = self.stage4(self.stage3(self.stage2(self.maxpool(self.conv1(x)))))
        return self.fc(self.avgpool(self.conv5(x)))


class _VisionTransformer(Mixin):
    _process_input: Any
    class_token: Tensor
    encoder: nn.Module
    token_pooling: nn.Module
    heads: nn.Module

    def forward(self, x: Tensor) -> Any:
        patches = self._process_input(x)
        tokens = torch.cat([self.class_token.expand(patches.shape[0], -1, -1), patches], dim=1)
        return self.heads(self.token_pooling(self.encoder(tokens)))


FORWARDS: dict[str, type[Mixin]] = {
    "DenseNet": _DenseNet,
    "MNASNet": _MNASNet,
    "MobileNetV2": _MobileNetV2,
    "ShuffleNetV2": _ShuffleNetV2,
}
"""Networks that pool by a function, and a forward that calls `avgpool` instead."""

"""Backbones by name, and published weights under their names of layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from dgmp.learning.backbones.base import Backbone
from dgmp.learning.backbones.efficientnet_lite import efficientnet_lite0
from dgmp.learning.backbones.resnet import narrow_resnet, resnet18, resnet50

BACKBONES: dict[str, Callable[[int, int], Backbone]] = {
    "narrow": lambda width, stride: narrow_resnet(width, last_stride=stride),
    "efficientnet-lite0": lambda width, stride: efficientnet_lite0(last_stride=stride),
    "resnet18": lambda width, stride: resnet18(last_stride=stride),
    "resnet50": lambda width, stride: resnet50(last_stride=stride),
}
CLASSIFIERS = ("fc.", "_fc.")


def build_backbone(name: str, width: int, *, last_stride: int) -> Backbone:
    """The backbone of that name, with random weights; `width` is the narrow one's.

    Raises:
        ValueError: there is no backbone of that name.
    """
    if name not in BACKBONES:
        raise ValueError(f"no backbone {name!r}; there are: {', '.join(BACKBONES)}")
    return BACKBONES[name](width, last_stride)


def load_published(backbone: Backbone, state: Mapping[str, Tensor]) -> None:
    """Take over published weights, which name other layers than the backbone, in the same order.

    The files list a network's weights in the order in which they are applied, and so does a
    backbone; those of the classifier are left out.

    Raises:
        ValueError: the number or the shapes of the weights are not the backbone's.
    """
    theirs = {key: value for key, value in state.items() if not key.startswith(CLASSIFIERS)}
    ours = backbone.state_dict()
    if len(theirs) != len(ours):
        raise ValueError(f"{len(ours)} weights and statistics are wanted, got {len(theirs)}")
    for (name, value), (own, wanted) in zip(theirs.items(), ours.items(), strict=True):
        if value.shape != wanted.shape:
            raise ValueError(
                f"{name} is {tuple(value.shape)}, but {tuple(wanted.shape)} is wanted for {own}"
            )
    backbone.load_state_dict(dict(zip(ours, theirs.values(), strict=True)))

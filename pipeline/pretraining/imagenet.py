"""Starting weights of ImageNet, as torchvision publishes them."""

from __future__ import annotations

import pickle

import torch

from dgmp.learning.models import Backbone, ResNet50, build_backbone
from pipeline.published.download import Downloads
from pipeline.published.sources import Sources
from pipeline.shared.settings.params import ParamsError, Profile


def imagenet_backbone(profile: Profile, downloads: Downloads[Sources]) -> Backbone:
    """ResNet-50 with torchvision's IMAGENET1K_V1 weights, the ones that the paper started from.

    Raises:
        ValueError: the weights cannot be had, or the file holds no such weights.
    """
    backbone = build_backbone(profile.backbone.name, profile.backbone.width, last_stride=2)
    if not isinstance(backbone, ResNet50):
        raise ParamsError("pretrain.source imagenet goes with backbone.name resnet50")
    name = downloads.sources.weights
    path = downloads.obtain([name])[name]
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        kept = {key: value for key, value in state.items() if not key.startswith("fc.")}
        backbone.layers.load_state_dict(kept)
    except (pickle.UnpicklingError, RuntimeError, AttributeError, EOFError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"{path} holds no weights of ResNet-50 alone ({reason}): correct weights in "
            "data/sources.yaml"
        ) from None
    return backbone

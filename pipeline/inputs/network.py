"""The network of a task in its parts: preparation, frozen trunk, and what is trained."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from safetensors.torch import load_file
from torch import nn

from dgmp.learning.backbones.base import Backbone
from dgmp.learning.backbones.registry import build_backbone
from dgmp.learning.models import Rescale, Standardize, trained_state
from pipeline.inputs.task_data import read_summary
from pipeline.shared.settings.base import Task
from pipeline.shared.settings.params import Params


class Parts(NamedTuple):
    """A network up to its activation volume.

    Attributes:
        preparation: Image -> what is trained reads; the frozen trunk is its end.
        backbone: With its starting weights; the last blocks if a trunk is frozen.
    """

    preparation: nn.Module
    backbone: Backbone


def network_parts(params: Params, task: Task) -> Parts:
    """The starting network of a task, from the outputs of the stages weights and patches."""
    profile = params.active
    schedule = profile.schedule(task)
    backbone = build_backbone(
        profile.backbone.name, profile.backbone.width, last_stride=schedule.last_stride
    )
    backbone.load_state_dict(load_file(params.data / "weights" / "backbone.safetensors"))
    steps = [*_preparation(params, task)]
    if schedule.trainable is not None:
        trunk, backbone = backbone.split(schedule.trainable)
        steps.append(trunk)
    return Parts(nn.Sequential(*steps), backbone)


def load_trained(model: nn.Module, weights: Path) -> None:
    """Load what a run saved: all but the preparation."""
    wanted = trained_state(model)
    state = load_file(weights)
    if state.keys() != wanted.keys():
        raise ValueError(f"{weights} was made by another network: run the stage train again")
    model.load_state_dict(state, strict=False)


def _preparation(params: Params, task: Task) -> tuple[nn.Module, ...]:
    summary = read_summary(params, task)
    if task == "writers":
        settings = params.active.writers
        scale = (settings.resize or summary["size"]) / summary["size"]
        tones = (summary["mean"], summary["sd"]) if settings.standardize else (0, 1)
        return Rescale(scale), Standardize(*tones)
    scripts = params.active.scripts(task)
    return (
        Standardize(
            summary["mean"] if scripts.mean is None else scripts.mean,
            summary["sd"] if scripts.sd is None else scripts.sd,
        ),
    )

"""Networks of finished runs, from the weights that the stage train wrote."""

from __future__ import annotations

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from dgmp.learning.models import DescriptorNet, Standardize, build_backbone
from dgmp.pooling.layers import DGMP
from pipeline.evaluation.predictions import RunError, run_folder, train_command
from pipeline.settings.params import Params


def load_network(params: Params, name: str, seed: int) -> tuple[nn.Module, DGMP]:
    """The trained network of a DGMP cell of writers: up to the activation volume, and its pooling.

    Raises:
        RunError: the weights are missing, damaged or of another network.
    """
    file = run_folder(name, params) / f"seed{seed}.safetensors"
    remedy = f"run `{train_command(name, params)}`"
    backbone = build_backbone(
        params.active.backbone.name,
        params.active.backbone.width,
        last_stride=params.active.writers.last_stride,
    )
    pooling = DGMP()
    # Mean and deviation of the training images, and lambda, are among the weights.
    size = params.active.patches.size
    scale = (params.active.writers.resize or size) / size
    network = DescriptorNet(Standardize(0, 1), backbone, pooling, scale=scale)
    try:
        network.load_state_dict(load_file(file))
    except FileNotFoundError:
        raise RunError(f"{file} is missing: {remedy}") from None
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"{file} does not fit params.yaml ({reason}): {remedy}") from None
    parts = (network.rescale, network.standardize, network.backbone)
    return nn.Sequential(*parts).eval(), pooling

"""How the network computes: device, processes, precision, memory format, compiler."""

from __future__ import annotations

import os
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from dgmp.learning.processes import Processes
from pipeline.shared.settings.training import Compute

MIXED_PRECISION = {"fp32": "no", "bf16": "bf16"}


def process_count() -> int:
    """How many processes a launcher such as torchrun has started together; 1 without one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def kind_of_device() -> str:
    """What of the device a result depends on.

    Not the number of GPUs. On a CPU, where PyTorch does not synchronize batch statistics, the
    number of processes.
    """
    if torch.cuda.is_available():
        return "cuda"
    return "cpu" if process_count() == 1 else f"cpu, {process_count()} processes"


def describe_device() -> dict[str, Any]:
    """Name and software of the GPU; the number of threads on a CPU.

    Starts CUDA, after which the process must not be forked.
    """
    if not torch.cuda.is_available():
        return {"type": "cpu", "threads": torch.get_num_threads()}
    return {
        "type": "cuda",
        "name": torch.cuda.get_device_name(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "tf32_convolutions": torch.backends.cudnn.allow_tf32,
    }


def build_accelerator(settings: Compute) -> Accelerator:
    """The accelerator of this process; what the settings leave out is off, not up to the launcher.

    Processes that a launcher started together join here: one for each GPU, or several on a CPU.
    """
    return Accelerator(
        # Without this, Accelerate would not join processes that have no GPU.
        cpu=process_count() > 1 and not torch.cuda.is_available(),
        mixed_precision=MIXED_PRECISION[settings.precision],
        dynamo_backend="no",
    )


def prepare(model: nn.Module, settings: Compute, processes: Processes) -> nn.Module:
    """The same model, its weights and names kept, as the settings want it to compute.

    Batch statistics are synchronized between GPUs; PyTorch cannot between processes on a CPU.
    """
    if processes.count > 1 and processes.device.type == "cuda":
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    if settings.channels_last:
        model = model.to(memory_format=torch.channels_last)
    if settings.compile:
        # In place, so that the names of the weights stay.
        model.get_submodule("backbone").compile()
    return model

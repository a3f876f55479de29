"""Whether a GPU does what training asks of it: `make check-gpu`, some minutes.

The tests see no GPU. Here the stage `train` runs on one at toy size, and ResNet-50 makes steps of
the size of the paper's. The first check that fails ends with its message.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from accelerate.state import AcceleratorState
from torch import Tensor

from dgmp.learning.backbones.resnet import resnet50
from dgmp.learning.loop import seed_everything
from dgmp.learning.models import DescriptorNet, Standardize
from dgmp.learning.optimizer import OptimizerSettings, build_optimizer
from dgmp.learning.processes import ALONE
from dgmp.learning.triplet import BatchHardTripletLoss
from dgmp.learning.writer_retrieval import triplet_step
from dgmp.pooling.registry import build_pooling
from pipeline.shared.settings.training import Compute
from pipeline.training.compute import build_accelerator, prepare
from tests.pipeline.training.toy import run_stage, start_stage, toy_settings, write_data

ROOT = Path(__file__).parents[1]
TORCHRUN = f"{sys.executable} -m torch.distributed.run --standalone --nproc-per-node 2"
BATCH, SIZE, STEPS = 56, 400, 10
"""Of the paper's writer task: images in a step and their side; steps that are timed."""


def architecture() -> str:
    """PyTorch's kernels fit the GPU."""
    major, minor = torch.cuda.get_device_capability()
    built = torch.cuda.get_arch_list()
    # A kernel runs on GPUs of its own major version, from its own minor version on.
    fits = [f"sm_{major}{older}" for older in range(minor + 1)]
    kernels = ", ".join(built)
    assert set(fits) & set(built), f"{fits[-1]}, but kernels for {kernels}: get another PyTorch"
    return f"{torch.cuda.get_device_name()}, {fits[-1]}, kernels for {kernels}"


def repeated(folder: Path) -> str:
    """A second run gives the same weights, to the last bit."""
    first, _, record = run_stage()
    assert record["device"]["type"] == ("cuda" if torch.cuda.is_available() else "cpu"), record
    (folder / "data/scribes/runs").rename(folder / "first")
    assert difference(first, run_stage()[0]) == 0, "two runs differ"
    return "the same, to the last bit"


def changed(folder: Path, **compute: object) -> str:
    """Another way to compute gives much the same loss."""
    (_, plain, _), (_, log, _) = run_stage(), run_stage(**compute)
    off = float((plain.loss - log.loss).abs().max())
    assert off < 0.1, f"the loss is off by {off}"
    return f"the loss is off by {off:.1e}"


def two_processes(folder: Path) -> str:
    """Two GPUs learn what one does."""
    if torch.cuda.device_count() < 2:
        return "left out, there is one GPU"
    alone, _, _ = run_stage()
    (folder / "data/scribes/runs").rename(folder / "alone")
    os.environ["DGMP_LAUNCH"] = TORCHRUN
    together, _, record = run_stage()
    del os.environ["DGMP_LAUNCH"]
    assert record["processes"] == 2
    off = difference(alone, together)
    assert off < 0.01, f"weights are off by {off}"
    return f"weights are off by {off:.1e}"


def killed(folder: Path) -> str:
    """A killed run goes on from its checkpoint."""
    first = start_stage(folder, toy_settings(200))
    while not list(folder.glob("data/scribes/runs/*/epoch-*")):
        assert first.poll() is None, first.communicate()[1]
        time.sleep(0.01)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    again = start_stage(folder, toy_settings(200))
    said = again.communicate()[1]
    assert again.returncode == 0, said
    assert "goes on from" in said, said
    return next(line for line in said.splitlines() if "goes on from" in line).split("/")[-1]


def full_size(precision: Literal["fp32", "bf16"]) -> str:
    """ResNet-50 makes the paper's steps: memory and speed."""
    seed_everything(0)
    settings = Compute(precision=precision, channels_last=True, compile=False)
    # Accelerate knows one precision a process.
    AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = build_accelerator(settings)
    bare = DescriptorNet(Standardize(0.8, 0.4), resnet50(), build_pooling("dgmp"))
    optimizer = build_optimizer(bare, OptimizerSettings(2e-4, 1e-5, pooling_multiplier=1000))
    model, optimizer = accelerator.prepare(prepare(bare, settings, ALONE), optimizer)
    images = torch.randint(0, 256, (BATCH, 1, SIZE, SIZE), dtype=torch.uint8)
    labels = torch.arange(BATCH) // 4
    torch.cuda.reset_peak_memory_stats()
    begun = 0.0
    for step in range(3 + STEPS):
        if step == 3:
            torch.cuda.synchronize()
            begun = time.monotonic()
        batch = images.to(accelerator.device), labels.to(accelerator.device)
        loss = triplet_step(BatchHardTripletLoss(0.1), model, *batch, processes=ALONE).loss
        optimizer.zero_grad()
        accelerator.backward(loss)
        optimizer.step()
    torch.cuda.synchronize()
    speed = STEPS * BATCH / (time.monotonic() - begun)
    assert torch.isfinite(loss)
    return f"{torch.cuda.max_memory_allocated() / 1e9:.1f} GB, {speed:.0f} images/s"


def difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest."""
    return max(float((one[key].double() - other[key].double()).abs().max()) for key in one)


def in_project(check: Callable[[Path], str]) -> str:
    """A check in a toy project of its own."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.chdir(folder)
        write_data()
        try:
            return check(folder)
        finally:
            os.chdir(ROOT)


def main() -> None:
    if not torch.cuda.is_available():
        sys.exit(
            f"error: PyTorch {torch.__version__} sees no GPU: see nvidia-smi, the driver that "
            "docs/paper.md asks for, and CUDA_VISIBLE_DEVICES"
        )
    checks: list[tuple[str, Callable[[], str]]] = [
        ("kernels", architecture),
        ("a second run", lambda: in_project(repeated)),
        ("bf16", lambda: in_project(lambda folder: changed(folder, precision="bf16"))),
        ("compile", lambda: in_project(lambda folder: changed(folder, compile=True))),
        ("two processes", lambda: in_project(two_processes)),
        ("killed and taken up again", lambda: in_project(killed)),
        ("ResNet-50, fp32", lambda: full_size("fp32")),
        ("ResNet-50, bf16", lambda: full_size("bf16")),
    ]
    for name, check in checks:
        print(f"{name}: {check()}", flush=True)


if __name__ == "__main__":
    main()

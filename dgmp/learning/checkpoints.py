"""Checkpoints of a training run: tensors as safetensors, the rest as JSON, nothing pickled."""

from __future__ import annotations

import dataclasses
import errno
import json
import logging
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dgmp.learning.log import Epoch, Fit

log = logging.getLogger(__name__)

TENSORS, VALUES = "tensors.safetensors", "values.json"
PART = ".part-"


class Checkpoints:
    """The checkpoints of one run, `epoch-<n>` in its folder.

    A checkpoint appears under its name when it is whole, and only then is the one before it
    removed: a run may be killed at any moment. Equal runs in several processes may share a folder.

    Args:
        folder: Of the run.
        rng: The run's generator; its state is kept and restored in place.
        every: Seconds from one checkpoint to the next; 0 for one after each epoch.
        write: False for processes other than the main one, which only read.
    """

    def __init__(
        self, folder: Path, rng: np.random.Generator, *, every: float = 0.0, write: bool = True
    ) -> None:
        self.folder, self.rng, self.every, self.write = folder, rng, every, write
        self._last = time.monotonic()

    def due(self) -> bool:
        """Whether the time between checkpoints has passed."""
        return time.monotonic() - self._last >= self.every

    def save(self, model: nn.Module, optimizer: torch.optim.Optimizer, fit: Fit) -> None:
        """Keep the state after the last epoch of `fit`.

        Raises:
            OSError: it could not be written; the checkpoint before it is kept.
        """
        if not self.write:
            return
        tensors = {f"model.{key}": value for key, value in model.state_dict().items()}
        tensors |= {f"best.{key}": value for key, value in fit.best_state.items()}
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{key}": value for key, value in state.items()}
        tensors["random.cpu"] = torch.get_rng_state()
        if torch.cuda.is_initialized():
            tensors["random.cuda"] = torch.cuda.get_rng_state()
        values = {
            "epochs": [dataclasses.asdict(epoch) for epoch in fit.epochs],
            "best_epoch": fit.best_epoch,
            "best_error": fit.best_error,
            "resumed_after": fit.resumed_after,
            "generator": self.rng.bit_generator.state,
        }
        target = self.folder / f"epoch-{len(fit.epochs)}"
        older = [one for one in checkpoints_in(self.folder) if epoch_of(one) < len(fit.epochs)]
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=self.folder, prefix=PART, ignore_cleanup_errors=True
        ) as temporary:
            part = Path(temporary) / target.name
            part.mkdir()
            try:
                save_file({k: v.contiguous() for k, v in tensors.items()}, part / TENSORS)
                (part / VALUES).write_text(json.dumps(values), encoding="utf-8")
                _replace(target, part)
            except (OSError, SafetensorError) as error:
                if not part.is_dir():  # removed by an equal run that begins or ends
                    return
                kept = f"{older[0]} is kept" if older else "there is none before it"
                raise OSError(
                    f"the checkpoint after epoch {len(fit.epochs)} cannot be written ({error}); "
                    f"{kept}: make room on the disk and run again"
                ) from None
        for one in older:
            shutil.rmtree(one, ignore_errors=True)
        self._last = time.monotonic()

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> Fit | None:
        """Go back to the newest checkpoint; None, with nothing changed, if there is none."""
        if self.write:
            for part in self.folder.glob(f"{PART}*"):  # of a run that was killed while writing
                shutil.rmtree(part, ignore_errors=True)
        for folder in checkpoints_in(self.folder):
            try:
                tensors = load_file(folder / TENSORS)
                values = json.loads((folder / VALUES).read_text(encoding="utf-8"))
            except (OSError, ValueError, SafetensorError) as error:
                log.warning("%s cannot be read (%s): it is passed over", folder, error)
                continue
            return self._restore(tensors, values, model, optimizer)
        return None

    def _restore(
        self,
        tensors: dict[str, Tensor],
        values: dict[str, Any],
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
    ) -> Fit:
        # All is copied: the tensors are mapped from a file that the next checkpoint removes.
        model.load_state_dict(_below("model.", tensors))
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        states: dict[int, dict[str, Tensor]] = {}
        for name, value in _below("optimizer.", tensors).items():
            index, _, key = name.partition(".")
            parameter = parameters[int(index)]
            # The count of steps stays on the CPU, wherever the parameter is.
            placed = value.clone() if key == "step" else _laid_out_like(parameter, value)
            states.setdefault(int(index), {})[key] = placed
        optimizer.load_state_dict(optimizer.state_dict() | {"state": states})
        torch.set_rng_state(tensors["random.cpu"])
        if "random.cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["random.cuda"])
        self.rng.bit_generator.state = values["generator"]
        device = parameters[0].device
        best = {k: v.to(device, copy=True) for k, v in _below("best.", tensors).items()}
        epochs = [Epoch(**row) for row in values["epochs"]]
        resumed = [*values["resumed_after"], len(epochs)]
        return Fit(epochs, values["best_epoch"], values["best_error"], best, resumed)


def checkpoints_in(folder: Path) -> list[Path]:
    """The whole checkpoints of a run, newest first."""
    return sorted(folder.glob("epoch-*"), key=epoch_of, reverse=True)


def epoch_of(checkpoint: Path) -> int:
    """After which epoch a checkpoint was made, by its name."""
    return int(checkpoint.name.removeprefix("epoch-"))


def _replace(target: Path, part: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)  # one that could not be read
    try:
        os.replace(part, target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # that of an equal run is as good
            raise


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _laid_out_like(parameter: Tensor, value: Tensor) -> Tensor:
    """The same values in the parameter's memory format, which the optimizer's kernels want."""
    if value.shape != parameter.shape:
        return value.clone()
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)

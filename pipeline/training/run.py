"""A training run: what it trains, what it trains with, and what comes out."""

from __future__ import annotations

import dataclasses
import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from accelerate import Accelerator
from safetensors.torch import save_file
from torch import nn
from tqdm import tqdm

from dgmp.learning.backbones.base import Backbone
from dgmp.learning.checkpoints import Checkpoints
from dgmp.learning.inference import Inference
from dgmp.learning.log import Epoch, Fit
from dgmp.learning.loop import processes_of
from dgmp.learning.models import trained_state
from dgmp.learning.optimizer import OptimizerSettings
from dgmp.learning.processes import Processes
from dgmp.pooling.base import GlobalPooling
from dgmp.pooling.registry import build_pooling
from pipeline.inputs.network import network_parts
from pipeline.shared.settings.cells import Cell, Pooling
from pipeline.shared.settings.params import Params
from pipeline.shared.settings.training import Schedule

log = logging.getLogger(__name__)

LOG_COLUMNS = ["seed", *(field.name for field in dataclasses.fields(Epoch))]


@dataclass(frozen=True)
class Run:
    """A cell of the tables, or the variant, with a seed.

    Attributes:
        name: For messages.
        cell: Task, margin and multiplier of the learning rate.
        pooling: The pooling layer.
        seed: Of initial weights, batches and augmentation.
        trained: False for the starting network as it is.
    """

    name: str
    cell: Cell
    pooling: Pooling
    seed: int
    trained: bool = True


@dataclass(frozen=True)
class Outcome:
    """A trained model with its log and its predictions on the test set.

    `short_writers` counts the writers whose patches had to be drawn with replacement.
    """

    model: nn.Module
    fit: Fit
    predictions: dict[str, np.ndarray]
    collapsed: bool = False
    short_writers: int = 0

    def write(self, run: Run, folder: Path) -> None:
        """Write weights.safetensors, predictions.npz, epochs.csv and run.json."""
        save_file(trained_state(self.model), folder / "weights.safetensors")
        np.savez(folder / "predictions.npz", **self.predictions)  # type: ignore[arg-type]
        rows = [{"seed": run.seed} | dataclasses.asdict(epoch) for epoch in self.fit.epochs]
        pd.DataFrame(rows, columns=LOG_COLUMNS).to_csv(folder / "epochs.csv", index=False)
        summary = {
            "seed": run.seed,
            "best_epoch": self.fit.best_epoch,
            "validation_score": round(100 - self.fit.best_error, 4),
            "collapsed": self.collapsed,
            "short_writers": self.short_writers,
        }
        (folder / "run.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        log.info(
            "%s seed %d: validation %.1f in epoch %d of %d%s",
            run.name,
            run.seed,
            summary["validation_score"],
            self.fit.best_epoch,
            len(self.fit.epochs),
            "; COLLAPSED, all descriptors are alike" if self.collapsed else "",
        )


@dataclass(frozen=True)
class Workshop:
    """What a run trains with beside its settings: devices, progress bar, checkpoints.

    Attributes:
        accelerator: Device, precision and processes.
        bar: Counts epochs.
        checkpoints: Folder of the run's checkpoints; training goes on from the newest.
    """

    accelerator: Accelerator
    bar: tqdm
    checkpoints: Path

    @property
    def processes(self) -> Processes:
        """Those that train the run together."""
        return processes_of(self.accelerator)

    def inference(self, params: Params, schedule: Schedule) -> Inference:
        """How the validation and test sets are looked at."""
        return Inference(schedule.evaluation_batch, self.processes, params.active.loading_threads)

    def keep(self, params: Params, rng: np.random.Generator) -> Checkpoints:
        """The checkpoints of the run with this generator."""
        every = params.active.checkpoint_seconds
        return Checkpoints(self.checkpoints, rng, every=every, write=self.processes.main)

    def advance(self, epoch: Epoch) -> None:
        """Show an epoch that has ended."""
        self.bar.update(epoch.epoch - self.bar.n)
        if epoch.validation_error is not None:
            self.bar.set_postfix(loss=f"{epoch.loss:.3f}", error=f"{epoch.validation_error:.1f}")


def starting_parts(params: Params, run: Run) -> tuple[nn.Module, Backbone, GlobalPooling]:
    """Preparation, backbone with its starting weights, and pooling.

    With a frozen trunk its activations are the input, and nothing is left to prepare.
    """
    preparation, backbone = network_parts(params, run.cell.task)
    if params.active.schedule(run.cell.task).trainable is not None:
        preparation = nn.Identity()
    return preparation, backbone, pooling_layer(run.pooling)


def pooling_layer(pooling: Pooling) -> GlobalPooling:
    """The layer that the settings describe."""
    start = {} if pooling.value is None else {f"{pooling.parameter}_init": pooling.value}
    return build_pooling(pooling.name, **start)


def optimizer_settings(settings: Schedule, run: Run, head: float = 1.0) -> OptimizerSettings:
    """Learning rates of the parts, `head` times as large for a classifier's last layer."""
    return OptimizerSettings(
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        pooling_weight_decay=settings.pooling_weight_decay,
        pooling_multiplier=1.0 if run.pooling.multiplier is None else run.pooling.multiplier,
        head_multiplier=head,
    )

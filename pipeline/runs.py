"""One training run: a cell with a seed, from the data to predictions on the test set."""

from __future__ import annotations

import dataclasses
import json
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from torch import nn
from tqdm import tqdm

from dgmp.checkpoints import Checkpoints
from dgmp.global_pooling import GlobalPooling
from dgmp.images.augmentation import ScriptAugmentation
from dgmp.images.pages import PageStore
from dgmp.images.patches import PatchStore
from dgmp.metrics import accuracy_of_whole_batches, evaluate_classification
from dgmp.models import Backbone, Classifier, DescriptorNet, Standardize, build_backbone
from dgmp.pooling import build_pooling
from dgmp.processes import Processes
from dgmp.scripttypes import ScriptBatches, class_scores, cross_entropy_step
from dgmp.training import (
    Epoch,
    Fit,
    OptimizerSettings,
    build_optimizer,
    fit,
    processes_of,
    seed_everything,
)
from dgmp.triplet import BatchHardTripletLoss, short_classes
from dgmp.writers import WriterBatches, describe_pages, retrieval_error, triplet_step
from pipeline.compute import build_accelerator, prepare
from pipeline.params import Cell, Params, Pooling, Schedule
from pipeline.task_data import TaskData

log = logging.getLogger(__name__)

LOG_COLUMNS = [
    "seed",
    "epoch",
    "loss",
    "active_triplets",
    "validation_error",
    "pooling_parameter",
    "learning_rate",
    "spread",
]


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


@dataclass(frozen=True)
class Workshop:
    """What a run trains with beside its settings: devices, progress bar, checkpoints.

    Attributes:
        accelerator: Device, precision and processes.
        bar: Counts epochs.
        checkpoints: Folder of the run's own.
    """

    accelerator: Accelerator
    bar: tqdm
    checkpoints: Path

    @property
    def processes(self) -> Processes:
        """Those that train the run together."""
        return processes_of(self.accelerator)

    def evaluation(self, params: Params, schedule: Schedule) -> dict[str, Any]:
        """Keyword arguments of `describe_pages` and `class_scores`."""
        return {
            "batch": schedule.evaluation_batch,
            "device": self.accelerator.device,
            "processes": self.processes,
            "threads": params.active.loading_threads,
        }

    def keep(self, rng: np.random.Generator) -> Checkpoints:
        """The checkpoints of the run with this generator."""
        return Checkpoints(self.checkpoints, rng, write=self.processes.main)


def train_run(
    params: Params,
    run: Run,
    data: TaskData[Any],
    folder: Path,
    *,
    checkpoints: Path,
    position: int = 0,
) -> Fit:
    """Train, keep the epoch of the best validation error, predict the test set, write files.

    Of several processes that train together the main one writes.

    Args:
        params: All settings.
        run: What to train.
        data: Of the run's task.
        folder: Gets weights.safetensors, predictions.npz, epochs.csv and run.json.
        checkpoints: Folder of the run's checkpoints; training goes on from the newest.
        position: Line of the progress bar.

    Returns:
        The log.
    """
    accelerator = build_accelerator(params.active.compute)
    main = accelerator.is_main_process
    train = _train_writers if run.cell.task == "writers" else _train_scripts
    schedule = params.active.schedule(run.cell.task)
    with tqdm(
        total=schedule.epochs if run.trained else 0,
        desc=f"{run.name} seed {run.seed}",
        unit="epoch",
        position=position,
        leave=False,
        disable=None if main else True,
    ) as bar:
        outcome = train(params, run, data, Workshop(accelerator, bar, checkpoints))
    if main:
        _write(run, outcome, folder)
    return outcome.fit


def _write(run: Run, outcome: Outcome, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    state = outcome.model.state_dict()
    save_file(
        {key: value.contiguous() for key, value in state.items()}, folder / "weights.safetensors"
    )
    np.savez(folder / "predictions.npz", **outcome.predictions)  # type: ignore[arg-type]
    rows = [{"seed": run.seed} | dataclasses.asdict(epoch) for epoch in outcome.fit.epochs]
    pd.DataFrame(rows, columns=LOG_COLUMNS).to_csv(folder / "epochs.csv", index=False)
    summary = {
        "seed": run.seed,
        "best_epoch": outcome.fit.best_epoch,
        "validation_score": round(100 - outcome.fit.best_error, 4),
        "collapsed": outcome.collapsed,
        "short_writers": outcome.short_writers,
    }
    (folder / "run.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    log.info(
        "%s seed %d: validation %.1f in epoch %d of %d%s",
        run.name,
        run.seed,
        summary["validation_score"],
        outcome.fit.best_epoch,
        len(outcome.fit.epochs),
        "; COLLAPSED, all descriptors are alike" if outcome.collapsed else "",
    )


def _train_writers(
    params: Params, run: Run, data: TaskData[PatchStore], workshop: Workshop
) -> Outcome:
    settings = params.active.writers
    rng = seed_everything(run.seed)
    backbone, pooling = _parts(params, run)
    side = settings.resize or data.train.size
    processes = workshop.processes
    model = prepare(
        DescriptorNet(
            Standardize(data.mean, data.sd) if settings.standardize else Standardize(0, 1),
            backbone,
            pooling,
            scale=side / data.train.size,
            normalize=settings.normalize,
        ),
        params.active.compute,
        processes,
    )
    assert run.cell.margin is not None  # params.py: a margin goes with task writers
    loss = BatchHardTripletLoss(
        run.cell.margin, mining=settings.mining, reduction=settings.reduction
    )
    short = short_classes(data.train.labels, settings.patches_per_writer)
    if short:
        log.warning(
            "%d training writers have fewer than patches_per_writer=%d patches: theirs are drawn "
            "with replacement",
            short,
            settings.patches_per_writer,
        )
    seen = workshop.evaluation(params, settings)
    history = fit(
        model,
        build_optimizer(model, _optimizer(settings, run)),
        epochs=settings.epochs if run.trained else 0,
        decay_start=settings.decay_start,
        batches=WriterBatches(
            data.train,
            writers=settings.writers_per_batch,
            patches=settings.patches_per_writer,
            batches=settings.steps_per_epoch,
            rng=rng,
            processes=processes,
            threads=params.active.loading_threads,
        ),
        step=partial(triplet_step, loss, processes=processes),
        validate=lambda net: retrieval_error(net, data.val, distance=settings.distance, **seen),
        accelerator=workshop.accelerator,
        validate_every=settings.validate_every,
        checkpoints=workshop.keep(rng),
        keep_multipliers=settings.keep_pooling_multiplier,
        restore_best=settings.tested_model == "best",
        report=partial(_advance, workshop.bar),
    )
    test = describe_pages(model, data.test, **seen)
    predictions = {"descriptors": test.descriptors, "labels": test.writers, "files": test.pages}
    last = history.epochs[-1] if history.epochs else None
    collapsed = last is not None and loss.collapsed(last.loss, last.spread or 0.0)
    return Outcome(model, history, predictions, collapsed, short)


def _train_scripts(
    params: Params, run: Run, data: TaskData[PageStore], workshop: Workshop
) -> Outcome:
    settings = params.active.scripts(run.cell.task)
    rng = seed_everything(run.seed)
    backbone, pooling = _parts(params, run)
    standardize = Standardize(
        data.mean if settings.mean is None else settings.mean,
        data.sd if settings.sd is None else settings.sd,
    )
    processes = workshop.processes
    model = prepare(
        Classifier(standardize, backbone, pooling, classes=len(data.classes)),
        params.active.compute,
        processes,
    )
    seen: dict[str, Any] = {"crop": settings.crop, "resampling": settings.resampling}
    seen |= workshop.evaluation(params, settings)
    ranges = settings.augmentation
    augmentation = ScriptAugmentation(
        crop=settings.crop,
        scale=(ranges.scale_min, ranges.scale_max),
        aspect=(ranges.aspect_min, ranges.aspect_max),
        rotation=ranges.rotation,
        brightness=ranges.brightness,
        contrast=ranges.contrast,
        resampling=settings.resampling,
        rotation_sampling=ranges.rotation_sampling,
        corners=ranges.corners,
        jitter=ranges.jitter,
    )

    def error(net: nn.Module) -> float:
        scores = class_scores(net, data.val, **seen)
        labels, classes = data.val.labels, data.classes
        if settings.validation_drops_last:
            return 100 - accuracy_of_whole_batches(
                scores, labels, classes, batch=settings.batch_size
            )
        return 100 - evaluate_classification(scores, labels, classes).accuracy

    history = fit(
        model,
        build_optimizer(model, _optimizer(settings, run, settings.head_multiplier)),
        epochs=settings.epochs if run.trained else 0,
        decay_start=settings.decay_start,
        batches=ScriptBatches(
            data.train,
            np.searchsorted(data.classes, data.train.labels),
            settings.batch_size,
            augmentation,
            rng,
            processes,
            params.active.loading_threads,
        ),
        step=partial(cross_entropy_step, processes=processes),
        validate=error,
        accelerator=workshop.accelerator,
        checkpoints=workshop.keep(rng),
        keep_multipliers=settings.keep_pooling_multiplier,
        restore_best=settings.tested_model == "best",
        report=partial(_advance, workshop.bar),
    )
    predictions = {
        "logits": class_scores(model, data.test, **seen),
        "labels": data.test.labels,
        "classes": data.classes,
        "files": data.test.pages,
    }
    return Outcome(model, history, predictions)


def _parts(params: Params, run: Run) -> tuple[Backbone, GlobalPooling]:
    profile = params.active
    backbone = build_backbone(
        profile.backbone.name,
        profile.backbone.width,
        last_stride=profile.schedule(run.cell.task).last_stride,
    )
    backbone.load_state_dict(load_file(params.data / "pretrain" / "weights.safetensors"))
    return backbone, build_pooling(run.pooling.name, **run.pooling.arguments())


def _optimizer(settings: Schedule, run: Run, head: float = 1.0) -> OptimizerSettings:
    return OptimizerSettings(
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        pooling_weight_decay=settings.pooling_weight_decay,
        pooling_multiplier=run.cell.pooling_multiplier,
        head_multiplier=head,
    )


def _advance(bar: tqdm, epoch: Epoch) -> None:
    bar.update(epoch.epoch - bar.n)
    if epoch.validation_error is not None:
        bar.set_postfix(loss=f"{epoch.loss:.3f}", error=f"{epoch.validation_error:.1f}")

"""A run of writer retrieval (section IV-C.1)."""

from __future__ import annotations

import logging
from functools import partial

import numpy as np

from dgmp.learning.inputs import Chosen, Inputs
from dgmp.learning.loop import fit, seed_everything
from dgmp.learning.models import DescriptorNet
from dgmp.learning.optimizer import build_optimizer
from dgmp.learning.triplet import BatchHardTripletLoss, short_classes
from dgmp.learning.writer_retrieval import (
    WriterBatches,
    describe_pages,
    retrieval_error,
    triplet_step,
)
from pipeline.inputs.task_data import TaskInputs
from pipeline.shared.settings.params import Params
from pipeline.training.compute import prepare
from pipeline.training.run import Outcome, Run, Workshop, optimizer_settings, starting_parts

log = logging.getLogger(__name__)

REDRAW = 1
"""Tells the generator that draws validation writers from that of the batches."""


def train_writers(params: Params, run: Run, data: TaskInputs, workshop: Workshop) -> Outcome:
    """Train for writer retrieval, and describe the pages of the test set."""
    settings = params.active.writers
    rng = seed_everything(run.seed)
    preparation, backbone, pooling = starting_parts(params, run)
    train, val = data.train, data.val
    if settings.redraw_validation:
        train, val = redrawn(train, val, np.random.default_rng([run.seed, REDRAW]))
    processes = workshop.processes
    model = prepare(
        DescriptorNet(preparation, backbone, pooling, normalize=settings.normalize),
        params.compute,
        processes,
    )
    assert run.cell.margin is not None  # params.py: a margin goes with task writers
    loss = BatchHardTripletLoss(
        run.cell.margin,
        distance=settings.loss_distance,
        mining=settings.mining,
        reduction=settings.reduction,
    )
    short = short_classes(train.labels, settings.patches_per_writer)
    if short:
        log.warning(
            "%d training writers have fewer than patches_per_writer=%d patches: theirs are drawn "
            "with replacement",
            short,
            settings.patches_per_writer,
        )
    inference = workshop.inference(params, settings)
    history = fit(
        model,
        build_optimizer(model, optimizer_settings(settings, run)),
        epochs=settings.epochs if run.trained else 0,
        decay_start=settings.decay_start,
        batches=WriterBatches(
            train,
            writers=settings.writers_per_batch,
            patches=settings.patches_per_writer,
            batches=settings.steps_per_epoch,
            rng=rng,
            processes=processes,
            threads=params.active.loading_threads,
        ),
        step=partial(triplet_step, loss, processes=processes),
        validate=lambda net: retrieval_error(net, val, inference, distance=settings.distance),
        accelerator=workshop.accelerator,
        validate_every=settings.validate_every,
        checkpoints=workshop.keep(params, rng),
        keep_multipliers=settings.keep_pooling_multiplier,
        restore_best=settings.tested_model == "best",
        report=workshop.advance,
    )
    test = describe_pages(model, data.test, inference)
    predictions = {"descriptors": test.descriptors, "labels": test.writers, "files": test.pages}
    last = history.epochs[-1] if history.epochs else None
    collapsed = last is not None and loss.collapsed(last.loss, last.spread or 0.0)
    return Outcome(model, history, predictions, collapsed, short)


def redrawn(train: Inputs, val: Inputs, rng: np.random.Generator) -> tuple[Inputs, Inputs]:
    """Training and validation inputs with as many validation writers as before, drawn anew."""
    labels = np.concatenate([train.labels, val.labels])
    held_out = rng.choice(np.unique(labels), len(np.unique(val.labels)), replace=False)
    chosen = np.isin(labels, held_out)
    parts = (train, val)
    return Chosen(parts, np.flatnonzero(~chosen)), Chosen(parts, np.flatnonzero(chosen))

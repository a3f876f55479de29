"""A run of writer retrieval (section IV-C.1)."""

from __future__ import annotations

import logging
from functools import partial

from dgmp.images.patches import PatchStore
from dgmp.learning.loop import fit, seed_everything
from dgmp.learning.models import DescriptorNet, Standardize
from dgmp.learning.optimizer import build_optimizer
from dgmp.learning.triplet import BatchHardTripletLoss, short_classes
from dgmp.learning.writer_retrieval import (
    WriterBatches,
    describe_pages,
    retrieval_error,
    triplet_step,
)
from pipeline.shared.settings.params import Params
from pipeline.training.compute import prepare
from pipeline.training.run import Outcome, Run, Workshop, optimizer_settings, starting_parts
from pipeline.training.task_data import TaskData

log = logging.getLogger(__name__)


def train_writers(
    params: Params, run: Run, data: TaskData[PatchStore], workshop: Workshop
) -> Outcome:
    """Train for writer retrieval, and describe the pages of the test set."""
    settings = params.active.writers
    rng = seed_everything(run.seed)
    backbone, pooling = starting_parts(params, run)
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
        params.compute,
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
    inference = workshop.inference(params, settings)
    history = fit(
        model,
        build_optimizer(model, optimizer_settings(settings, run)),
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
        validate=lambda net: retrieval_error(net, data.val, inference, distance=settings.distance),
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

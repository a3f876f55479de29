"""A run of script-type classification (section IV-C.2)."""

from __future__ import annotations

from functools import partial

import numpy as np
from torch import nn

from dgmp.images.augmentation import ScriptAugmentation
from dgmp.images.pages import PageStore
from dgmp.learning.loop import fit, seed_everything
from dgmp.learning.models import Classifier, Standardize
from dgmp.learning.optimizer import build_optimizer
from dgmp.learning.script_classification import ScriptBatches, class_scores, cross_entropy_step
from dgmp.metrics import accuracy_of_whole_batches, evaluate_classification
from pipeline.shared.settings.params import Params
from pipeline.training.compute import prepare
from pipeline.training.run import Outcome, Run, Workshop, optimizer_settings, starting_parts
from pipeline.training.task_data import TaskData


def train_scripts(
    params: Params, run: Run, data: TaskData[PageStore], workshop: Workshop
) -> Outcome:
    """Train for script-type classification, and classify the pages of the test set."""
    settings = params.active.scripts(run.cell.task)
    rng = seed_everything(run.seed)
    backbone, pooling = starting_parts(params, run)
    standardize = Standardize(
        data.mean if settings.mean is None else settings.mean,
        data.sd if settings.sd is None else settings.sd,
    )
    processes = workshop.processes
    model = prepare(
        Classifier(standardize, backbone, pooling, classes=len(data.classes)),
        params.compute,
        processes,
    )
    classify = partial(
        class_scores,
        inference=workshop.inference(params, settings),
        crop=settings.crop,
        resampling=settings.resampling,
    )
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
        scores = classify(net, data.val)
        labels, classes = data.val.labels, data.classes
        if settings.validation_drops_last:
            return 100 - accuracy_of_whole_batches(
                scores, labels, classes, batch=settings.batch_size
            )
        return 100 - evaluate_classification(scores, labels, classes).accuracy

    history = fit(
        model,
        build_optimizer(model, optimizer_settings(settings, run, settings.head_multiplier)),
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
        checkpoints=workshop.keep(params, rng),
        keep_multipliers=settings.keep_pooling_multiplier,
        restore_best=settings.tested_model == "best",
        report=workshop.advance,
    )
    predictions = {
        "logits": classify(model, data.test),
        "labels": data.test.labels,
        "classes": data.classes,
        "files": data.test.pages,
    }
    return Outcome(model, history, predictions)

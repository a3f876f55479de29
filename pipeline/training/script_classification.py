"""A run of script-type classification (section IV-C.2)."""

from __future__ import annotations

from functools import partial

import numpy as np
from torch import nn

from dgmp.learning.loop import fit, seed_everything
from dgmp.learning.models import Classifier
from dgmp.learning.optimizer import build_optimizer
from dgmp.learning.script_classification import ScriptBatches, class_scores, cross_entropy_step
from dgmp.metrics import accuracy_of_whole_batches, evaluate_classification
from pipeline.inputs.task_data import TaskInputs
from pipeline.shared.settings.params import Params
from pipeline.training.compute import prepare
from pipeline.training.run import Outcome, Run, Workshop, optimizer_settings, starting_parts


def train_scripts(params: Params, run: Run, data: TaskInputs, workshop: Workshop) -> Outcome:
    """Train for script-type classification, and classify the pages of the test set."""
    settings = params.active.scripts(run.cell.task)
    rng = seed_everything(run.seed)
    preparation, backbone, pooling = starting_parts(params, run)
    processes = workshop.processes
    model = prepare(
        Classifier(preparation, backbone, pooling, classes=len(data.classes)),
        params.compute,
        processes,
    )
    inference = workshop.inference(params, settings)

    def error(net: nn.Module) -> float:
        scores = class_scores(net, data.val, inference)
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
        "logits": class_scores(model, data.test, inference),
        "labels": data.test.labels,
        "classes": data.classes,
        "files": data.test.pages,
    }
    return Outcome(model, history, predictions)

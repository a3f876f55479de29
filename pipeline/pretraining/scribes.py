"""Starting weights from telling synthetic scribes apart."""

from __future__ import annotations

import logging
from functools import partial

import numpy as np
import torch
from accelerate import Accelerator
from tqdm import tqdm

from dgmp.learning.log import Epoch
from dgmp.learning.loop import fit, seed_everything
from dgmp.learning.models import Backbone, Classifier, Standardize, build_backbone
from dgmp.learning.optimizer import OptimizerSettings, build_optimizer
from dgmp.learning.pretraining import CropBatches
from dgmp.learning.script_classification import cross_entropy_step
from dgmp.pooling.registry import build_pooling
from dgmp.scribes import SCRIPT_TYPES, Variation, draw_scribe, write_page
from pipeline.shared.parallel import in_parallel
from pipeline.shared.settings.params import Profile
from pipeline.shared.settings.training import PretrainScribes

log = logging.getLogger(__name__)

STEPS_PER_EPOCH = 50


def pretrain(profile: Profile, settings: PretrainScribes) -> Backbone:
    """Train the narrow backbone, with average pooling, to tell synthetic scribes apart."""
    rng = seed_everything(settings.seed)
    pages, labels = _pages(settings, profile.workers)
    values = np.concatenate([page.ravel() for page in pages])
    standardize = Standardize(float(values.mean()) / 255, float(values.std()) / 255)
    backbone = build_backbone(
        profile.backbone.name, profile.backbone.width, last_stride=settings.last_stride
    )
    model = Classifier(standardize, backbone, build_pooling("avg"), classes=settings.scribes)
    model = model.to(memory_format=torch.channels_last)
    epochs = max(1, settings.steps // STEPS_PER_EPOCH)
    batches = CropBatches(
        pages,
        labels,
        crop=settings.crop,
        batch=settings.batch_size,
        batches=min(settings.steps, STEPS_PER_EPOCH),
        rng=rng,
    )
    with tqdm(total=epochs, desc="pretrain", unit="epoch") as bar:

        def report(epoch: Epoch) -> None:
            bar.update()
            bar.set_postfix(loss=f"{epoch.loss:.3f}")

        history = fit(
            model,
            build_optimizer(model, OptimizerSettings(settings.learning_rate, 0.00001)),
            epochs=epochs if settings.steps else 0,
            decay_start=epochs // 2,
            batches=batches,
            step=cross_entropy_step,
            validate=lambda net: 0.0,
            accelerator=Accelerator(),
            restore_best=False,
            report=report,
        )
    if history.epochs:
        log.info("pretrain: loss %.3f -> %.3f", history.epochs[0].loss, history.epochs[-1].loss)
    return backbone


def _pages(settings: PretrainScribes, workers: int) -> tuple[list[np.ndarray], np.ndarray]:
    labels = np.repeat(np.arange(settings.scribes), settings.pages)
    written = in_parallel(
        partial(_write, settings),
        range(settings.scribes),
        workers=workers,
        title="pretrain",
        unit="scribes",
    )
    return [page for pages in written for page in pages], labels


def _write(settings: PretrainScribes, scribe_number: int) -> list[np.ndarray]:
    rng = np.random.default_rng([settings.seed, scribe_number])
    variation = Variation(**settings.variation.model_dump())
    scribe = draw_scribe(SCRIPT_TYPES[scribe_number % len(SCRIPT_TYPES)], rng, variation)
    return [
        write_page(
            scribe,
            rng,
            height=settings.height,
            width=settings.width,
            line_pitch=settings.line_pitch,
            variation=variation,
        )
        for _ in range(settings.pages)
    ]

"""Stage pretrain: the starting weights that every cell shares."""

from __future__ import annotations

import logging
import os
import pickle
from functools import partial

import numpy as np
import torch
from accelerate import Accelerator
from safetensors.torch import save_file
from tqdm import tqdm

from dgmp.models import Backbone, Classifier, ResNet50, Standardize, build_backbone
from dgmp.pooling import build_pooling
from dgmp.pretraining import CropBatches
from dgmp.scribes import SCRIPT_TYPES, Variation, draw_scribe, write_page
from dgmp.scripttypes import cross_entropy_step
from dgmp.training import Epoch, OptimizerSettings, build_optimizer, fit, seed_everything
from pipeline.command import run
from pipeline.download import Downloads, downloads_of
from pipeline.memory import keep_freed_memory
from pipeline.pages import in_parallel
from pipeline.params import ParamsError, Profile, load_params
from pipeline.settings.training import PretrainScribes

log = logging.getLogger(__name__)

STEPS_PER_EPOCH = 50
THREADS = 2
"""A fixed number, so that the weights do not depend on the number of cores."""


def main() -> None:
    params = load_params()
    profile = params.active
    keep_freed_memory()
    torch.set_num_threads(THREADS)
    if isinstance(profile.pretrain, PretrainScribes):
        backbone = pretrain(profile, profile.pretrain)
    else:
        backbone = imagenet_backbone(profile, downloads_of(params))
    path = params.data / "pretrain" / "weights.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {key: value.contiguous() for key, value in backbone.state_dict().items()}
    save_file(state, path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)


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


def imagenet_backbone(profile: Profile, downloads: Downloads) -> Backbone:
    """ResNet-50 with torchvision's IMAGENET1K_V1 weights, the ones that the paper started from.

    Raises:
        ValueError: the weights cannot be had, or the file holds no such weights.
    """
    backbone = build_backbone(profile.backbone.name, profile.backbone.width, last_stride=2)
    if not isinstance(backbone, ResNet50):
        raise ParamsError("pretrain.source imagenet goes with backbone.name resnet50")
    name = downloads.sources.weights
    path = downloads.obtain([name])[name]
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        kept = {key: value for key, value in state.items() if not key.startswith("fc.")}
        backbone.layers.load_state_dict(kept)
    except (pickle.UnpicklingError, RuntimeError, AttributeError, EOFError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"{path} holds no weights of ResNet-50 alone ({reason}): correct weights in "
            "data/sources.yaml"
        ) from None
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


if __name__ == "__main__":
    run(main)

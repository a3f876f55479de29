"""Where the settings of a profile deviate from those of the profile paper, and why."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pipeline.shared.settings.params import Profile
from pipeline.shared.settings.training import Schedule, Scripts

CODE, OWN = "from the authors’ code", "our choice"
DATA = {
    "scribes": "synthetic pages, drawn in minutes",
    "folder": "the pages of a folder of your own",
    "benchmark": "pages of public repositories, of any age and language",
    "published": "a different choice of data",
}
NETWORKS = {
    "efficientnet-lite0": "EfficientNet-Lite0",
    "resnet18": "ResNet-18",
    "resnet50": "ResNet-50",
}
DISTANCES = {"sqeuclidean": "squared Euclidean", "euclidean": "Euclidean"}
MODELS = {"best": "of the best epoch", "final": "of the last epoch"}
NEGATIVES = {
    "auto": "found and inverted",
    "always": "all pages inverted",
    "never": "not looked for",
}
SIZE = "runs in minutes on a CPU"
SHORT = "fewer blocks are trained, for fewer steps"
SHORTER = "scaled with the epochs"


class Deviation(NamedTuple):
    """A setting in the profile paper and here; `source` where the paper itself is silent on it."""

    setting: str
    paper: str
    source: str
    here: str
    why: str


class Reason(NamedTuple):
    why: str
    source: str = ""


def deviations_from_paper(here: Profile, paper: Profile) -> list[Deviation]:
    """The settings that bear on the results and differ; none for the profile paper itself."""
    of_paper, of_here = _shown(paper), _shown(here)
    return [
        Deviation(setting, of_paper[setting], source, of_here[setting], why)
        for setting, (why, source) in _reasons(here).items()
        if of_paper[setting] != of_here[setting]
    ]


def _reasons(here: Profile) -> dict[str, Reason]:
    data = DATA[here.acquire.source]
    coarse = math.ceil(here.patches.size / 32)
    return {
        "pages of writers": Reason(data),
        "pages of scripts (a)": Reason(data),
        "pages of scripts (b)": Reason(data),
        "network": Reason(SIZE),
        "starting weights": Reason("they come with the installation, without a download"),
        "blocks that are trained, writers": Reason(SIZE),
        "blocks that are trained, scripts": Reason(SIZE),
        "binarization": Reason("pages are grey-scale", OWN),
        "negatives": Reason("pages may come from microfilm", OWN),
        "patches of writers’ pages": Reason(SIZE),
        "size of writers’ pages": Reason("a small patch then shows more of the writing"),
        "edge pixels that a patch must have": Reason("a smaller patch has fewer edge pixels"),
        "smoothing before the edges": Reason("letters are smaller", CODE),
        "stride of the last block, writers": Reason(
            f"otherwise {coarse}×{coarse} locations a patch"
        ),
        "stride of the last block, scripts": Reason(SIZE),
        "view of a script page": Reason(SIZE),
        "random views of a page, scripts (a)": Reason("a frozen trunk describes each once", OWN),
        "random views of a page, scripts (b)": Reason("a frozen trunk describes each once", OWN),
        "shrinking and turning of script pages": Reason("simpler", CODE),
        "brightness and contrast": Reason("simpler", CODE),
        "epochs, writers": Reason(SIZE),
        "epochs, scripts (a)": Reason(SIZE, CODE),
        "epochs, scripts (b)": Reason(SIZE, CODE),
        "start of the decay, writers": Reason(SHORTER),
        "start of the decay, scripts (a)": Reason(SHORTER),
        "start of the decay, scripts (b)": Reason(SHORTER),
        "batch of writers": Reason(
            "in few steps the hardest triplets of a large batch are active whatever the margin"
        ),
        "learning rate, writers": Reason(SHORT),
        "learning rate, scripts": Reason(SHORT),
        "distance in the loss": Reason(
            "with squared distances the descriptors of frozen features become alike", CODE
        ),
        "learning rate of the classifier": Reason(
            "otherwise some hundred steps are too few to train it on unit vectors", CODE
        ),
        "tested model, scripts (a)": Reason("few validation pages do not tell epochs apart", CODE),
        "weight decay of λ, scripts": Reason("as for writers", CODE),
        "network of Cl-S": Reason(SIZE, OWN),
        "patches that Cl-S describes": Reason(SIZE, OWN),
        "validation writers": Reason("so that ± covers their choice", OWN),
        "runs of a cell, writers": Reason("for a standard deviation", OWN),
        "runs of a cell, scripts": Reason(SIZE),
    }


def _shown(profile: Profile) -> dict[str, str]:
    writers, a, b = profile.writers, profile.scripts_a, profile.scripts_b
    patches, surrogates = profile.patches, profile.surrogates
    batches = f" of {writers.steps_per_epoch} batches" if writers.steps_per_epoch else ""
    narrow = f"ResNet, one bottleneck a stage, {profile.backbone.width} of 64 channels wide"
    views = a.augmentation
    return {
        "pages of writers": profile.titles.writers,
        "pages of scripts (a)": profile.titles.scripts_a,
        "pages of scripts (b)": profile.titles.scripts_b,
        "network": NETWORKS.get(profile.backbone.name, narrow),
        "starting weights": "random" if profile.backbone.name == "narrow" else "ImageNet",
        "blocks that are trained, writers": _trained(writers),
        "blocks that are trained, scripts": _trained(a),
        "binarization": profile.binarize.method.capitalize(),
        "negatives": NEGATIVES[profile.binarize.negative],
        "patches of writers’ pages": f"{patches.size} px, every {patches.stride} px",
        "size of writers’ pages": f"{profile.binarize.scale:.0%}",
        "edge pixels that a patch must have": f"{patches.threshold:g}",
        "smoothing before the edges": f"σ = {patches.sigma:g}",
        "stride of the last block, writers": f"{writers.last_stride}",
        "stride of the last block, scripts": f"{a.last_stride}",
        "view of a script page": f"{a.crop} px",
        "random views of a page, scripts (a)": _views(a),
        "random views of a page, scripts (b)": _views(b),
        "shrinking and turning of script pages": (
            f"{'bilinear' if a.resampling == 'bilinear' else 'by areas'}; "
            f"{'nearest pixel' if views.rotation_sampling == 'nearest' else 'interpolated'}, "
            f"{'black corners' if views.corners == 'black' else 'corners in the page’s tone'}"
        ),
        "brightness and contrast": (
            "in random order" if views.jitter == "shuffled" else "brightness first"
        ),
        "epochs, writers": f"{writers.epochs}{batches}",
        "epochs, scripts (a)": f"{a.epochs}",
        "epochs, scripts (b)": f"{b.epochs}",
        "start of the decay, writers": f"{writers.decay_start}",
        "start of the decay, scripts (a)": f"{a.decay_start}",
        "start of the decay, scripts (b)": f"{b.decay_start}",
        "batch of writers": (
            f"{writers.writers_per_batch} writers, {writers.patches_per_writer} patches of each"
        ),
        "learning rate, writers": f"{writers.learning_rate:g}",
        "learning rate, scripts": f"{a.learning_rate:g}",
        "distance in the loss": DISTANCES[writers.loss_distance],
        "learning rate of the classifier": f"×{a.head_multiplier:g}",
        "tested model, scripts (a)": MODELS[a.tested_model],
        "weight decay of λ, scripts": np.format_float_positional(a.pooling_weight_decay, trim="-"),
        "network of Cl-S": (
            f"{surrogates.classes} classes, {surrogates.patches} patches, "
            f"{surrogates.epochs} epochs"
        ),
        "patches that Cl-S describes": f"at most {surrogates.per_page} a page",
        "validation writers": (
            "drawn anew for each seed" if writers.redraw_validation else "the same for all seeds"
        ),
        "runs of a cell, writers": f"{len(writers.seeds)}",
        "runs of a cell, scripts": f"{len(a.seeds)}",
    }


def _trained(schedule: Schedule) -> str:
    if schedule.trainable is None:
        return "all"
    return f"the last {schedule.trainable}" if schedule.trainable else "none"


def _views(scripts: Scripts) -> str:
    return f"one of {scripts.views}" if scripts.views else "a new one in each epoch"

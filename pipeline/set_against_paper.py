"""What a profile does otherwise than the profile paper, read from the settings of both."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.params import Profile

DATA = "the paper's pages are too many for a run of minutes"
SIZE = "a run of minutes on a processor"
SHORT = "fewer steps need larger ones"


class Difference(NamedTuple):
    setting: str
    paper: str
    here: str
    why: str


def set_against_paper(here: Profile, paper: Profile) -> list[Difference]:
    """The settings that a reader should know of, where they differ; none for the paper's own."""
    rows = [
        (setting, _show(paper, setting), _show(here, setting), why)
        for setting, why in REASONS.items()
    ]
    return [Difference(*row) for row in rows if row[1] != row[2]]


REASONS = {
    "pages of writers": DATA,
    "pages of scripts (a)": DATA,
    "pages of scripts (b)": DATA,
    "network": SIZE,
    "starting weights": "those of ImageNet fit ResNet-50 alone",
    "binarization": "pages come in grey",
    "patches of writers' pages": SIZE,
    "view of a script page": SIZE,
    "epochs, writers": SIZE,
    "epochs, scripts (a)": SIZE,
    "epochs, scripts (b)": SIZE,
    "learning rate, writers": SHORT,
    "learning rate, scripts": SHORT,
    "learning rate of the classifier": "without it a hundred steps do not train it on unit vectors",
    "runs of a cell": "so that there is a deviation",
}


def _show(profile: Profile, setting: str) -> str:
    writers, a, b = profile.writers, profile.scripts_a, profile.scripts_b
    patches, pretrain = profile.patches, profile.pretrain
    batches = f" of {writers.steps_per_epoch} batches" if writers.steps_per_epoch else ""
    narrow = f"the same bottlenecks, one a stage, {profile.backbone.width} of 64 channels wide"
    return {
        "pages of writers": profile.titles.writers,
        "pages of scripts (a)": profile.titles.scripts_a,
        "pages of scripts (b)": profile.titles.scripts_b,
        "network": "ResNet-50" if profile.backbone.name == "resnet50" else narrow,
        "starting weights": (
            "ImageNet"
            if pretrain.source == "imagenet"
            else f"told {pretrain.scribes} synthetic scribes apart, with average pooling"
        ),
        "binarization": profile.binarize.method.capitalize(),
        "patches of writers' pages": f"{patches.size} px, every {patches.stride} px",
        "view of a script page": f"{a.crop} px",
        "epochs, writers": f"{writers.epochs}{batches}",
        "epochs, scripts (a)": f"{a.epochs}",
        "epochs, scripts (b)": f"{b.epochs}",
        "learning rate, writers": f"{writers.learning_rate:g}",
        "learning rate, scripts": f"{a.learning_rate:g}",
        "learning rate of the classifier": f"×{a.head_multiplier:g}",
        "runs of a cell": f"writers {len(writers.seeds)}, scripts {len(a.seeds)}",
    }[setting]

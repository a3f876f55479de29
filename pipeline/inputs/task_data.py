"""What a task reads, by split: patches (writers) or grey pages (script types), or activations."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgmp.images.augmentation import ScriptAugmentation
from dgmp.images.pages import PageStore
from dgmp.images.patches import PatchStore
from dgmp.learning.inputs import (
    Activations,
    ActivationsOfViews,
    AugmentedViews,
    CentralViews,
    InkPatches,
    Inputs,
    Views,
)
from pipeline.shared.page_lists import SPLITS
from pipeline.shared.settings.base import Task
from pipeline.shared.settings.params import Params
from pipeline.shared.settings.training import Scripts


@dataclass(frozen=True)
class TaskInputs:
    """A task's inputs by split.

    Attributes:
        train: Training set; random views of it for script types.
        val: Validation set.
        test: Test set.
        files: What a run's fingerprint is made from.
    """

    train: Any
    val: Inputs
    test: Inputs
    files: tuple[Path, ...]

    @property
    def classes(self) -> NDArray[np.str_]:
        """The labels of the training set, sorted."""
        return np.unique(self.train.labels)


def load_inputs(params: Params, task: Task) -> TaskInputs:
    """Images, or the activations of the frozen trunk where there is one.

    Raises:
        ValueError: the task has no training pages.
    """
    images = image_inputs(params, task)
    if not len(images.train.labels):
        raise ValueError(
            f"{folder_of(params, task) / 'train.csv'} lists nothing: set profiles."
            f"{params.profile}.acquire.{task}.labels, or take the cells of {task} out of "
            "params.yaml"
        )
    if params.active.schedule(task).trainable is None:
        return images
    folder = params.data / "trunk" / task
    arrays = {split: _mapped(folder / f"{split}.npy") for split in SPLITS}
    val, test = (
        Activations(arrays[split], inputs.pages, inputs.labels)
        for split, inputs in (("val", images.val), ("test", images.test))
    )
    train: Inputs | Views
    if task == "writers":
        train = Activations(arrays["train"], images.train.pages, images.train.labels)
    else:
        train = ActivationsOfViews(arrays["train"], images.train.labels)
    # The summary tells the activations; pages and labels are those of the images.
    lists = (file for file in images.files if file.suffix == ".csv")
    return TaskInputs(train, val, test, (folder / "summary.json", *lists))


def image_inputs(params: Params, task: Task) -> TaskInputs:
    """The images of a task as the stage patches left them."""
    folder = folder_of(params, task)
    files = tuple(sorted(folder.iterdir())) if folder.is_dir() else ()
    if task == "writers":
        patches = [
            InkPatches(PatchStore(folder / f"{split}.npy", folder / f"{split}.csv"))
            for split in SPLITS
        ]
        return TaskInputs(patches[0], patches[1], patches[2], files)
    settings = params.active.scripts(task)
    train, val, test = (
        PageStore(folder / f"{split}.raw", folder / f"{split}.csv") for split in SPLITS
    )
    views = AugmentedViews(train, train.labels, augmentation(settings))
    central = [
        CentralViews(store, store.pages, store.labels, settings.crop, settings.resampling)
        for store in (val, test)
    ]
    return TaskInputs(views, central[0], central[1], files)


def augmentation(settings: Scripts) -> ScriptAugmentation:
    """The random views that the settings describe."""
    ranges = settings.augmentation
    return ScriptAugmentation(
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


def folder_of(params: Params, task: Task) -> Path:
    """Folder of the packed data of a task."""
    return params.data / "patches" / task


def read_summary(params: Params, task: Task) -> dict[str, Any]:
    """Counts, and mean and standard deviation of the training images in [0, 1]."""
    text = (folder_of(params, task) / "summary.json").read_text(encoding="utf-8")
    summary: dict[str, Any] = json.loads(text)
    return summary


def _mapped(file: Path) -> NDArray[np.float16]:
    if not file.is_file():
        raise ValueError(f"{file} is missing: run the stage trunk")
    array: NDArray[np.float16] = np.load(file, mmap_mode="r")
    return array

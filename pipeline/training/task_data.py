"""What training reads: the packed patches of the writer task, the packed pages of script tasks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from dgmp.images.pages import PageStore
from dgmp.images.patches import PatchStore
from pipeline.shared.settings.base import Task
from pipeline.shared.settings.params import Params

Store = TypeVar("Store", PatchStore, PageStore)


@dataclass(frozen=True)
class TaskData(Generic[Store]):
    """A task's stores of patches (writers) or pages (script types), by split.

    Attributes:
        folder: Where they lie.
        train: Training set.
        val: Validation set.
        test: Test set.
        mean: Mean of the training images, in [0, 1].
        sd: Their standard deviation.
    """

    folder: Path
    train: Store
    val: Store
    test: Store
    mean: float
    sd: float

    @property
    def classes(self) -> np.ndarray:
        """The labels of the training set, sorted."""
        return np.unique(self.train.labels)


def load_task(params: Params, task: Task) -> TaskData[Any]:
    """The data of a task as the stage patches left them.

    Raises:
        ValueError: the task has no training pages.
    """
    folder = params.data / "patches" / task
    store = PatchStore if task == "writers" else PageStore
    suffix = "npy" if task == "writers" else "raw"
    train, val, test = (
        store(folder / f"{split}.{suffix}", folder / f"{split}.csv")
        for split in ("train", "val", "test")
    )
    if len(train) == 0:
        raise ValueError(
            f"{folder / 'train.csv'} lists nothing: set profiles.{params.profile}.acquire.{task}"
            f".labels, or take the cells of {task} out of params.yaml"
        )
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return TaskData(folder, train, val, test, summary["mean"], summary["sd"])

"""Predictions of the runs that params.yaml lists, as the stages train and untrained wrote them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.shared.settings.base import Task
from pipeline.shared.settings.cells import Cell
from pipeline.shared.settings.params import Params

UNTRAINED_SEED = 0
PAGE_COLUMNS = ["cell", "seed", "file", "label", "average_precision", "top1", "predicted"]
"""Of the scores page by page, of runs and of systems."""

Arrays = dict[str, NDArray[Any]]


class RunError(ValueError):
    """A run that cannot be scored or shown."""


def train_command(name: str, params: Params) -> str:
    """The command that makes the runs of a cell or an untrained row."""
    return f"dvc repro train@{name}" if name in params.cells else "dvc repro untrained"


def run_folder(name: str, params: Params) -> Path:
    """Folder of the predictions of a cell or an untrained row."""
    return params.data / ("train" if name in params.cells else "untrained") / name


def seeds_of(name: str, cell: Cell, params: Params) -> Sequence[int]:
    """Seeds of a cell's runs as params.yaml lists them; an untrained row has one run."""
    return params.active.schedule(cell.task).seeds if name in params.cells else (UNTRAINED_SEED,)


def read_predictions(file: Path, task: Task) -> Arrays:
    """Arrays of a prediction file: descriptors (writers) or logits and classes, labels, files."""
    names = ("descriptors",) if task == "writers" else ("logits", "classes")
    with np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in (*names, "labels", "files")}


def read_test_set(name: str, cell: Cell, seeds: Sequence[int], params: Params) -> dict[int, Arrays]:
    """Predictions by seed, all of the same pages in the same order."""
    folder = run_folder(name, params)
    return {seed: read_predictions(folder / f"seed{seed}.npz", cell.task) for seed in seeds}


def read_run_facts(name: str, seeds: Sequence[int], params: Params) -> dict[int, dict[str, Any]]:
    """Entries of runs.json by seed, for these seeds."""
    text = (run_folder(name, params) / "runs.json").read_text(encoding="utf-8")
    runs = {entry["seed"]: entry for entry in json.loads(text)}
    return {seed: runs[seed] for seed in seeds}

"""Predictions of the runs that params.yaml lists, as the stages train and baseline wrote them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from pipeline.settings.base import Task
from pipeline.settings.cells import Cell
from pipeline.settings.params import Params

UNTRAINED_SEED = 0

Arrays = dict[str, NDArray[Any]]


class RunError(ValueError):
    """A run that params.yaml lists is missing, damaged, or disagrees with the others."""


def train_command(name: str, params: Params) -> str:
    """The command that makes the run of a cell or an untrained row."""
    return f"dvc repro train@{name}" if name in params.cells else "dvc repro untrained"


def run_folder(name: str, params: Params) -> Path:
    """Folder of the predictions of a cell or an untrained row."""
    return params.data / ("train" if name in params.cells else "untrained") / name


def seeds_of(name: str, cell: Cell, params: Params) -> Sequence[int]:
    """Seeds of a cell's runs as params.yaml lists them; an untrained row has one run."""
    return params.active.schedule(cell.task).seeds if name in params.cells else (UNTRAINED_SEED,)


def read_predictions(file: Path, task: Task, remedy: str = "make it again") -> Arrays:
    """Arrays of a prediction file: descriptors (writers) or logits and classes, labels, files.

    Raises:
        RunError: naming the file, if it is missing, unreadable, or lacks an array.
    """
    wanted = ["labels", "files"] + (["descriptors"] if task == "writers" else ["logits", "classes"])
    try:
        with np.load(file, allow_pickle=False) as archive:
            missing = [name for name in wanted if name not in archive.files]
            if missing:
                raise RunError(f"{file} has no {', '.join(missing)}: {remedy}")
            return {name: archive[name] for name in wanted}
    except FileNotFoundError:
        raise RunError(f"{file} is missing: {remedy}") from None
    except RunError:
        raise
    except (BadZipFile, EOFError, OSError, ValueError) as error:
        raise RunError(f"{file} cannot be read ({error}): {remedy}") from None


def read_run_facts(name: str, seeds: Sequence[int], params: Params) -> dict[int, dict[str, Any]]:
    """Entries of runs.json by seed, for these seeds; other seeds in the file are ignored.

    Raises:
        RunError: naming the file and the command that makes it, if it or a seed is missing.
    """
    file = run_folder(name, params) / "runs.json"
    remedy = f"run `{train_command(name, params)}`"
    try:
        runs = {entry["seed"]: entry for entry in json.loads(file.read_text(encoding="utf-8"))}
    except FileNotFoundError:
        raise RunError(f"{file} is missing: {remedy}") from None
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise RunError(f"{file} is not a list of runs ({error!r}): {remedy}") from None
    for seed in seeds:
        if seed not in runs:
            raise RunError(f"{file} has no run of seed {seed}: {remedy}")
    return {seed: runs[seed] for seed in seeds}


def read_test_set(name: str, cell: Cell, seeds: Sequence[int], params: Params) -> dict[int, Arrays]:
    """Predictions by seed, all of the same pages in the same order.

    Raises:
        RunError: naming the file that is missing, or the two that disagree.
    """
    remedy = f"run `{train_command(name, params)}`"
    folder = run_folder(name, params)
    predictions = {
        seed: read_predictions(folder / f"seed{seed}.npz", cell.task, remedy) for seed in seeds
    }
    first = seeds[0]
    for seed in seeds[1:]:
        require_same_pages(
            predictions[first],
            folder / f"seed{first}.npz",
            predictions[seed],
            folder / f"seed{seed}.npz",
        )
    return predictions


def require_same_pages(one: Arrays, one_file: Path, other: Arrays, other_file: Path) -> None:
    """Scores compare only if they were measured on the same pages.

    Raises:
        RunError: naming both files and the array in which they differ.
    """
    for name in ("files", "labels", "classes"):
        if name in one and not np.array_equal(one[name], other[name]):
            raise RunError(
                f"{other_file} and {one_file} were predicted on different test pages (their "
                f"{name} differ): run `dvc repro train` to make both from the same data"
            )


def script_cells(params: Params) -> dict[str, Cell]:
    """The cells that have an ensemble: those of the classification tasks."""
    return {name: cell for name, cell in params.cells.items() if cell.task != "writers"}

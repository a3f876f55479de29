"""Stage evaluate: test predictions of every run that params.yaml lists -> scores, one row a run.

Reads data/<profile>/train/<cell>/ and baseline/<name>/ (seed<k>.npz and runs.json), writes
data/<profile>/evaluate/scores.csv and untrained.csv, pages.csv with a row for each test page of
each run, and distances.csv, the writers' scores by either distance of page descriptors.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, get_args
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from dgmp.metrics import Distance
from pipeline.command import run
from pipeline.params import Cell, Params, Task, load_params
from pipeline.scores import SCORES, Scores, score_predictions

UNTRAINED_SEED = 0
DISTANCE_COLUMNS = (
    "cell",
    "seed",
    *(f"{kind}_{distance}" for distance in get_args(Distance) for kind in ("mAP", "top1")),
)

log = logging.getLogger(__name__)

Arrays = dict[str, NDArray[Any]]


class RunError(ValueError):
    """A run that params.yaml lists is missing, damaged, or disagrees with the others."""


@dataclass(frozen=True)
class Run:
    """One row of scores.csv; all scores in percent, None where the task has no such score."""

    cell: str
    task: str
    pooling: str
    margin: float | None
    seed: int
    mAP: float | None  # noqa: N815 - the column's name, as in the paper
    top1: float | None
    accuracy: float | None
    validation_score: float | None
    best_epoch: int | None
    collapsed: bool
    soft_top5: float | None = None
    soft_top10: float | None = None
    hard_top2: float | None = None
    hard_top3: float | None = None
    hard_top4: float | None = None
    precision_at4: float | None = None
    balanced_accuracy: float | None = None


class PageRow(NamedTuple):
    """One row of pages.csv: a test page as it was scored in a run.

    The average precision is in [0, 1]; it and the top-1 hit are None for a page without a relevant
    one, and where the task has no such score.
    """

    cell: str
    seed: int
    file: str
    label: str
    average_precision: str | None = None
    top1: int | None = None
    predicted: str | None = None


def train_command(name: str, params: Params) -> str:
    """The command that makes the run of a cell or an untrained row."""
    return f"dvc repro train@{name}" if name in params.cells else "dvc repro baseline"


def run_folder(name: str, params: Params) -> Path:
    """Folder of the predictions of a cell or an untrained row."""
    return params.data / ("train" if name in params.cells else "baseline") / name


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


def score(
    prediction_file: Path, task: Task, distance: Distance = "sqeuclidean"
) -> dict[str, float]:
    """Test scores in percent of one prediction file: mAP and top1 by that distance, or accuracy.

    Raises:
        RunError: naming the file and what is wrong in it.
    """
    arrays = read_predictions(prediction_file, task)
    return _main(_score(arrays, prediction_file, task, distance))


def _main(scores: Scores) -> dict[str, float]:
    names = ("mAP", "top1", "accuracy")
    return {name: scores.percent[name] for name in names if name in scores.percent}


def _score(arrays: Arrays, file: Path, task: Task, distance: Distance) -> Scores:
    try:
        return score_predictions(arrays, task, distance)
    except ValueError as error:
        raise RunError(f"{file}: {error}") from None


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


def evaluate(params: Params, cells: Mapping[str, Cell]) -> list[Run]:
    """Scores of all runs of these cells or untrained rows, in the order of params.yaml."""
    return [run for run, _ in measure(params, cells)]


def measure(params: Params, cells: Mapping[str, Cell]) -> Iterator[tuple[Run, list[PageRow]]]:
    """Scores of all runs of these cells or untrained rows, each with those of its test pages."""
    first: dict[Task, tuple[Arrays, Path]] = {}
    for name, cell in cells.items():
        seeds = seeds_of(name, cell, params)
        facts = read_run_facts(name, seeds, params)
        for seed, arrays in read_test_set(name, cell, seeds, params).items():
            file = run_folder(name, params) / f"seed{seed}.npz"
            require_same_pages(*first.setdefault(cell.task, (arrays, file)), arrays, file)
            scores = _score(arrays, file, cell.task, params.active.writers.distance)
            run = Run(
                cell=name,
                task=cell.task,
                pooling=cell.pooling,
                margin=cell.margin,
                seed=seed,
                validation_score=_number(facts[seed].get("validation_score")),
                best_epoch=facts[seed].get("best_epoch"),
                collapsed=bool(facts[seed].get("collapsed", False)),
                **{score: scores.percent.get(score) for score in SCORES},
            )
            pages = zip(arrays["files"], arrays["labels"], scores.pages, strict=True)
            yield run, [PageRow(name, seed, page, label, **own) for page, label, own in pages]


def compare_distances(params: Params) -> list[dict[str, Any]]:
    """Rows of distances.csv: the writers' runs ranked by either distance of the page descriptors.

    Page descriptors are means of unit vectors; the cosine is squared Euclidean distance on means
    of unit length. A run with a descriptor of zeros has no cosine.
    """
    rows: list[dict[str, Any]] = []
    for name, cell in params.cells.items():
        if cell.task != "writers":
            continue
        seeds = seeds_of(name, cell, params)
        for seed, arrays in read_test_set(name, cell, seeds, params).items():
            file = run_folder(name, params) / f"seed{seed}.npz"
            row: dict[str, Any] = {"cell": name, "seed": seed}
            for distance in get_args(Distance):
                if distance == "cosine" and not arrays["descriptors"].any(axis=1).all():
                    continue
                for kind, value in _main(_score(arrays, file, cell.task, distance)).items():
                    row[f"{kind}_{distance}"] = f"{value:.6f}"
            rows.append(row)
    return rows


def seeds_of(name: str, cell: Cell, params: Params) -> Sequence[int]:
    """Seeds of a cell's runs as params.yaml lists them; an untrained row has one run."""
    return params.active.schedule(cell.task).seeds if name in params.cells else (UNTRAINED_SEED,)


def _number(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def write_runs(file: Path, runs: Iterable[Run]) -> None:
    """Write rows of scores.csv, six decimals, empty where there is no value."""
    rows = [
        [f"{value:.6f}" if isinstance(value, float) else value for value in astuple(run)]
        for run in runs
    ]
    write_text(file, csv_text([[field.name for field in fields(Run)], *rows]))


def read_runs(file: Path, cells: Mapping[str, Cell], params: Params) -> list[Run]:
    """Rows of a file of `write_runs` for exactly the runs of these cells in params.yaml.

    Raises:
        RunError: if the file or a row is missing, or a row is of other settings than today's.
    """
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            found = {(row["cell"], int(row["seed"])): _parse(row) for row in csv.DictReader(lines)}
    except FileNotFoundError:
        raise RunError(f"{file} is missing: run `dvc repro evaluate`") from None
    except (KeyError, ValueError) as error:
        raise RunError(f"{file} is damaged ({error!r}): run `dvc repro evaluate`") from None
    runs: list[Run] = []
    for name, cell in cells.items():
        for seed in seeds_of(name, cell, params):
            row = found.get((name, seed))
            if row is None:
                raise RunError(
                    f"{file} has no row for cell {name}, seed {seed}: run "
                    f"`{train_command(name, params)}`, then `dvc repro evaluate`"
                )
            if (row.task, row.pooling, row.margin) != (cell.task, cell.pooling, cell.margin):
                raise RunError(
                    f"{file}: cell {name} was measured as {row.task}, {row.pooling}, margin "
                    f"{row.margin}, but params.yaml says {cell.task}, {cell.pooling}, margin "
                    f"{cell.margin}: run `dvc repro evaluate`"
                )
            runs.append(row)
    return runs


def _parse(row: Mapping[str, str]) -> Run:
    def number(key: str) -> float | None:
        return float(row[key]) if row[key] else None

    return Run(
        cell=row["cell"],
        task=row["task"],
        pooling=row["pooling"],
        margin=number("margin"),
        seed=int(row["seed"]),
        validation_score=number("validation_score"),
        best_epoch=int(row["best_epoch"]) if row["best_epoch"] else None,
        collapsed={"True": True, "False": False}[row["collapsed"]],
        **{score: number(score) for score in SCORES},
    )


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    """Rows as CSV, with Unix line ends on every system."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def write_text(file: Path, text: str) -> None:
    """Write a file in one step, so that no half-written table is ever read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(file.name + ".part")
    unfinished.write_text(text, encoding="utf-8", newline="\n")
    os.replace(unfinished, file)


def main() -> None:
    params = load_params()
    runs, pages = zip(*measure(params, {**params.cells, **params.untrained}), strict=True)
    write_text(
        params.data / "evaluate" / "pages.csv",
        csv_text([PageRow._fields, *(row for rows in pages for row in rows)]),
    )
    for name, cells in (("scores", params.cells), ("untrained", params.untrained)):
        file = params.data / "evaluate" / f"{name}.csv"
        rows = [run for run in runs if run.cell in cells]
        write_runs(file, rows)
        log.info("%s: %d runs", file, len(rows))
    distances = compare_distances(params)
    write_text(
        params.data / "evaluate" / "distances.csv",
        csv_text(
            [DISTANCE_COLUMNS, *([row.get(c) for c in DISTANCE_COLUMNS] for row in distances)]
        ),
    )


if __name__ == "__main__":
    run(main)

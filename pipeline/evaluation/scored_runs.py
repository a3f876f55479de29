"""Scores of the runs, one row a run: what the stage evaluate writes and the later ones read."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from pipeline.evaluation.predictions import RunError, seeds_of, train_command
from pipeline.settings.cells import Cell
from pipeline.settings.params import Params
from pipeline.shared.files import csv_text, write_text

SCORES = (
    "mAP",
    "top1",
    "accuracy",
    "soft_top5",
    "soft_top10",
    "hard_top2",
    "hard_top3",
    "hard_top4",
    "precision_at4",
    "balanced_accuracy",
)
"""Names of all scores; a task has those of retrieval or those of classification."""


@dataclass(frozen=True)
class ScoredRun:
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


def write_runs(file: Path, runs: Iterable[ScoredRun]) -> None:
    """Write rows of scores.csv, six decimals, empty where there is no value."""
    rows = [
        [f"{value:.6f}" if isinstance(value, float) else value for value in astuple(run)]
        for run in runs
    ]
    write_text(file, csv_text([[field.name for field in fields(ScoredRun)], *rows]))


def read_runs(file: Path, cells: Mapping[str, Cell], params: Params) -> list[ScoredRun]:
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
    runs: list[ScoredRun] = []
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


def _parse(row: Mapping[str, str]) -> ScoredRun:
    def number(key: str) -> float | None:
        return float(row[key]) if row[key] else None

    return ScoredRun(
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

"""Scores of cells: means over their runs, and ensembles, read from what the stages wrote."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Literal

import pandas as pd

from pipeline.evaluation.predictions import RunError, script_cells
from pipeline.evaluation.scored_runs import ScoredRun, read_runs
from pipeline.settings.params import Params

Score = Literal["mAP", "top1", "accuracy", "ensemble"]


@dataclass(frozen=True)
class Summary:
    """A score over several runs, in percent.

    Attributes:
        mean: over all runs, collapsed ones included.
        sd: sample standard deviation; None for a single run and for an ensemble.
        runs: number of runs.
        collapsed: how many of them collapsed.
    """

    mean: float
    sd: float | None
    runs: int
    collapsed: int


@dataclass(frozen=True)
class Results:
    """Scores of all runs that params.yaml lists, and of the ensembles of script cells."""

    runs: tuple[ScoredRun, ...]
    ensembles: dict[str, float]

    def summarize(self, cell: str, score: Score) -> Summary:
        """Mean and sample standard deviation of a cell's score, or its ensemble's score.

        Raises:
            RunError: if the cell, or one of its runs, has no such score.
        """
        own = [one for one in self.runs if one.cell == cell]
        if score == "ensemble":
            values = [self.ensembles[cell]] if cell in self.ensembles else []
        else:
            values = [value for one in own if (value := getattr(one, score)) is not None]
        if not values or (score != "ensemble" and len(values) < len(own)):
            raise RunError(f"cell {cell}: only {len(values)} of {len(own)} runs have {score}")
        return Summary(
            mean=mean(values),
            sd=stdev(values) if len(values) > 1 else None,
            runs=len(own),
            collapsed=sum(one.collapsed for one in own),
        )


def read_scores(params: Params) -> pd.DataFrame:
    """Scores of all runs, a row each, in percent."""
    file = params.data / "evaluate" / "scores.csv"
    return pd.read_csv(file, dtype={"best_epoch": "Int64"})


def read_results(params: Params) -> Results:
    """Read the scores of exactly the runs that params.yaml lists.

    Raises:
        RunError: naming the file that is missing or lacks a run.
    """
    runs = read_runs(params.data / "evaluate" / "scores.csv", params.cells, params)
    return Results(tuple(runs), read_ensembles(params))


def trained_cell(params: Params, one: ScoredRun) -> str | None:
    """The cell that trains what an untrained row starts from: same task, pooling and margin."""
    same = (one.task, one.pooling, one.margin)
    cells = params.cells.items()
    return next((n for n, c in cells if (c.task, c.pooling, c.margin) == same), None)


def read_ensembles(params: Params) -> dict[str, float]:
    """Accuracy in percent of the paper's (weighted) ensemble, by script cell.

    Raises:
        RunError: if the file or a cell is missing, or a cell has another number of models than
            params.yaml has seeds.
    """
    file = params.data / "ensemble" / "scores.csv"
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            rows = {row["cell"]: row for row in csv.DictReader(lines)}
    except FileNotFoundError:
        raise RunError(f"{file} is missing: run `dvc repro ensemble`") from None
    for name, cell in script_cells(params).items():
        models = len(params.active.schedule(cell.task).seeds)
        if name not in rows or rows[name]["models"] != str(models):
            raise RunError(
                f"{file} has no ensemble of {models} models for cell {name}: run "
                f"`dvc repro ensemble`"
            )
    return {name: float(rows[name]["weighted"]) for name in script_cells(params)}

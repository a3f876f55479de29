"""Intervals and tests of the cells' scores, as the stage compare writes and others read them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.evaluation.predictions import RunError, seeds_of
from pipeline.settings.base import Task
from pipeline.settings.params import Params

BASELINE = "avg"

METRICS: dict[Task, tuple[str, ...]] = {
    "writers": ("mAP", "top1"),
    "scripts_a": ("accuracy", "ensemble"),
    "scripts_b": ("accuracy", "ensemble"),
}


@dataclass(frozen=True)
class Comparison:
    """One row of comparisons.csv.

    Attributes:
        cell: the cell.
        metric: mAP, top1, accuracy or ensemble.
        seeds: of the runs, separated by blanks.
        score: mean over all runs, in percent.
        low: lower bound of its bootstrap interval.
        high: upper bound.
        queries: number of scored queries or pages.
        groups: number of writers, pages or other groups that are drawn.
        drawn: what they are, e.g. writers, pages, or manuscripts of several pages.
        baseline: the cell of average pooling at the same task and margin; None for it itself, and
            where there is none, and then the fields below are None too.
        difference: the cell's score less the baseline's, in percentage points.
        difference_low: lower bound of its bootstrap interval.
        difference_high: upper bound.
        p: of the sign-flip test that there is no difference.
        p_holm: the same, adjusted for all cells that are compared with this baseline.
    """

    cell: str
    metric: str
    seeds: str
    score: float
    low: float
    high: float
    queries: int
    groups: int
    drawn: str
    baseline: str | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    p: float | None = None
    p_holm: float | None = None


def seeds_text(params: Params, cell: str) -> str:
    """Seeds of a cell's runs, separated by blanks."""
    return " ".join(map(str, seeds_of(cell, params.cells[cell], params)))


def baseline_of(params: Params, name: str) -> str | None:
    """The cell of average pooling with a cell's task and margin; None for that cell itself."""
    cell = params.cells[name]
    for other, candidate in params.cells.items():
        same = (candidate.task, candidate.margin) == (cell.task, cell.margin)
        if same and params.poolings[candidate.pooling].name == BASELINE:
            return None if other == name else other
    return None


def read_comparisons(params: Params) -> dict[tuple[str, str], Comparison]:
    """Rows of comparisons.csv for exactly the runs that params.yaml lists, by cell and metric.

    Raises:
        RunError: if the file or a row is missing, or is of other seeds or another baseline.
    """
    file = params.data / "compare" / "comparisons.csv"
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            rows = {(row["cell"], row["metric"]): _parse(row) for row in csv.DictReader(lines)}
    except FileNotFoundError:
        raise RunError(f"{file} is missing: run `dvc repro compare`") from None
    except (KeyError, ValueError) as error:
        raise RunError(f"{file} is damaged ({error!r}): run `dvc repro -f compare`") from None
    found: dict[tuple[str, str], Comparison] = {}
    for cell in params.cells:
        for metric in METRICS[params.cells[cell].task]:
            row = rows.get((cell, metric))
            wanted = (seeds_text(params, cell), baseline_of(params, cell))
            if row is None or (row.seeds, row.baseline) != wanted:
                raise RunError(
                    f"{file} has no row of cell {cell}, {metric}, for seeds {wanted[0]} and "
                    f"baseline {wanted[1]}: run `dvc repro compare`"
                )
            found[cell, metric] = row
    return found


def _parse(row: Mapping[str, str]) -> Comparison:
    def number(key: str) -> float | None:
        return float(row[key]) if row[key] else None

    return Comparison(
        cell=row["cell"],
        metric=row["metric"],
        seeds=row["seeds"],
        score=float(row["score"]),
        low=float(row["low"]),
        high=float(row["high"]),
        queries=int(row["queries"]),
        groups=int(row["groups"]),
        drawn=row["drawn"],
        baseline=row["baseline"] or None,
        difference=number("difference"),
        difference_low=number("difference_low"),
        difference_high=number("difference_high"),
        p=number("p"),
        p_holm=number("p_holm"),
    )

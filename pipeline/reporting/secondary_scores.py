"""Scores of Tables II and III that the tables do not show: top-k, precision, balanced accuracy."""

from __future__ import annotations

from statistics import mean
from typing import NamedTuple

from pipeline.evaluation.pooling_names import pooling_label
from pipeline.evaluation.scored_runs import read_runs
from pipeline.settings.base import Task
from pipeline.settings.params import Params

HEADS: dict[str, str] = {
    "soft_top5": "soft top-5",
    "soft_top10": "soft top-10",
    "hard_top2": "hard top-2",
    "hard_top3": "hard top-3",
    "hard_top4": "hard top-4",
    "precision_at4": "precision@4",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
}
OF_TASK: dict[Task, tuple[str, ...]] = {
    "writers": tuple(HEADS)[:6],
    "scripts_a": tuple(HEADS)[6:],
    "scripts_b": tuple(HEADS)[6:],
}


class FurtherScores(NamedTuple):
    """Scores of a task: their names, and for each cell its label and means in percent."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float, ...]], ...]


def further_scores(params: Params) -> list[FurtherScores]:
    """For each task the means over the runs of its cells in Tables II and III.

    Raises:
        RunError: naming the file that is missing or lacks a run.
    """
    runs = read_runs(params.data / "evaluate" / "scores.csv", params.cells, params)
    names = [*params.tables.table2, *params.tables.table3]
    found = []
    for task, scores in OF_TASK.items():
        cells = {name: params.cells[name] for name in names if params.cells[name].task == task}
        several = len({cell.margin for cell in cells.values()}) > 1
        rows = []
        for name, cell in cells.items():
            own = [one for one in runs if one.cell == name]
            label = pooling_label(params.poolings[cell.pooling])
            label += f", margin {cell.margin:g}" if several else ""
            rows.append((label, tuple(mean(getattr(one, s) for one in own) for s in scores)))
        if rows:
            title = getattr(params.active.titles, task)
            found.append(FurtherScores(title, tuple(HEADS[s] for s in scores), tuple(rows)))
    return found

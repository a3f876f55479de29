"""Scores of Tables II and III that the tables do not show: top-k, precision, balanced accuracy."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.evaluation.results import read_results, read_scores
from pipeline.shared.settings.params import Params

HEADS = {
    "soft_top5": "soft top-5",
    "soft_top10": "soft top-10",
    "hard_top2": "hard top-2",
    "hard_top3": "hard top-3",
    "hard_top4": "hard top-4",
    "precision_at4": "precision@4",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
}


class SecondaryScores(NamedTuple):
    """Scores of a task: their names, and for each cell its pooling and means in percent."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float, ...]], ...]


def secondary_scores(params: Params) -> list[SecondaryScores]:
    """For each task the means over the runs of its cells in Tables II and III."""
    results = read_results(params)
    listed = [*params.tables.table2, *params.tables.table3]
    cells = read_scores(params).groupby("cell").first().loc[listed]
    found = []
    for task, own in cells.groupby("task", sort=False):
        scores = [score for score in HEADS if (own.index[0], score) in results]
        several = own["margin"].nunique() > 1
        names = [
            one["pooling_name"] + (f", margin {one['margin']:g}" if several else "")
            for _, one in own.iterrows()
        ]
        means = [tuple(results[cell, score].mean for score in scores) for cell in own.index]
        title = getattr(params.active.titles, str(task))
        rows = tuple(zip(names, means, strict=True))
        found.append(SecondaryScores(title, tuple(HEADS[score] for score in scores), rows))
    return found

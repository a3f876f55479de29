"""Scores of the runs as the stage evaluate writes them, and what later stages make of them."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import mean, stdev
from typing import Literal

import pandas as pd

from pipeline.evaluation.systems import read_systems
from pipeline.shared.settings.params import Params

Score = Literal["mAP", "top1", "accuracy", "ensemble"]

MAIN_SCORES = ["mAP", "top1", "accuracy"]
SECONDARY_SCORES = [
    "soft_top5",
    "soft_top10",
    "hard_top2",
    "hard_top3",
    "hard_top4",
    "precision_at4",
    "balanced_accuracy",
]
SCORE_COLUMNS = [
    *("cell", "task", "pooling", "margin", "seed"),
    *MAIN_SCORES,
    *("validation_score", "best_epoch", "collapsed"),
    *SECONDARY_SCORES,
    *("trained", "pooling_name"),
]


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


Results = dict[tuple[str, str], Summary]


def read_scores(params: Params) -> pd.DataFrame:
    """Scores of all runs, a row each, in the order of params.yaml: see `SCORE_COLUMNS`.

    Scores are in percent, and NaN where the task has no such score; `trained` is False for the
    rows below `untrained`; `pooling_name` is the pooling as tables and figures name it.
    """
    file = params.data / "evaluate" / "scores.csv"
    return pd.read_csv(file, dtype={"best_epoch": "Int64"})


def read_scored_pages(params: Params, name: str = "pages") -> pd.DataFrame:
    """Rows of pages.csv or ensemble_pages.csv; labels are text, whatever they look like."""
    file = params.data / "evaluate" / f"{name}.csv"
    rows = pd.read_csv(file, dtype=str, keep_default_na=False)
    numbers = rows.columns.intersection(["average_precision", "top1"])
    return rows.assign(**{column: pd.to_numeric(rows[column]) for column in numbers})


def read_results(params: Params) -> Results:
    """Summaries by cell and score: all that its runs have, and the ensemble of script cells.

    The systems are among the cells, by the names of `system_cell`.

    The ensemble is the paper's, weighted by validation accuracy.
    """
    results: Results = {}
    for cell, runs in read_scores(params).groupby("cell", sort=False):
        results |= _summaries(str(cell), runs, int(runs["collapsed"].sum()))
    for cell, runs in read_systems(params).groupby("cell", sort=False):
        results |= _summaries(str(cell), runs, 0)
    file = params.data / "evaluate" / "ensembles.csv"
    for row in pd.read_csv(file).to_dict("records"):
        runs_of = results[row["cell"], "accuracy"]
        results[row["cell"], "ensemble"] = Summary(
            row["weighted"], None, runs_of.runs, runs_of.collapsed
        )
    return results


def _summaries(cell: str, runs: pd.DataFrame, collapsed: int) -> Results:
    """Of all scores that these runs have."""
    found: Results = {}
    for score in runs.columns.intersection([*MAIN_SCORES, *SECONDARY_SCORES]):
        if runs[score].notna().all():
            values = runs[score].tolist()
            spread = stdev(values) if len(runs) > 1 else None
            found[cell, score] = Summary(mean(values), spread, len(runs), collapsed)
    return found


def untrained_beside_trained(scores: pd.DataFrame) -> pd.DataFrame:
    """Untrained rows, and the means of the cell that trains what each starts from.

    That is the first cell of the same task, pooling and margin; empty where there is none.
    """
    same = ["task", "pooling", "margin"]
    runs = scores[scores["trained"]].groupby("cell", sort=False)
    means = runs[same].first().join(runs[MAIN_SCORES].agg(mean)).assign(runs=runs.size())
    means = means.reset_index().drop_duplicates(same)
    means = means.rename(columns={n: f"trained_{n}" for n in means.columns.difference(same)})
    started = scores.loc[~scores["trained"], ["cell", "pooling_name", *same, *MAIN_SCORES]]
    return started.merge(means.astype({"trained_runs": "Int64"}), on=same, how="left")


def majority_class_rate(pages: pd.DataFrame) -> float:
    """Share in percent of the most frequent label among scored pages, each counted once."""
    labels = pages.drop_duplicates("file")["label"]
    return float(100 * labels.value_counts().max() / len(labels))

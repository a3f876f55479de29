"""Intervals of the cells' scores, and tests of each pooling against average pooling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dgmp.analysis.bootstrap import Interval, bootstrap_interval
from dgmp.analysis.randomization_test import holm, sign_flip_test
from pipeline.evaluation.results import read_scored_pages, read_scores
from pipeline.evaluation.systems import read_systems, system_cell
from pipeline.shared.page_lists import read_pages
from pipeline.shared.settings.data import AcquireFolder
from pipeline.shared.settings.params import Params

AVERAGE = "Avg"
"""Name of average pooling, with which the others are compared."""


@dataclass(frozen=True)
class Comparison:
    """One row of comparisons.csv.

    Attributes:
        cell: the cell.
        metric: mAP, top1, accuracy or ensemble.
        score: mean over all runs, in percent.
        low: lower bound of its bootstrap interval.
        high: upper bound.
        queries: number of scored queries or pages.
        groups: number of writers, pages or other groups that are drawn.
        drawn: what they are, e.g. writers, pages, or manuscripts of several pages.
        baseline: the cell of average pooling at the same task and margin, or a system's baseline at
            the same step; None for it itself, and where there is none, and then the fields below
            are None too.
        difference: the cell's score less the baseline's, in percentage points.
        difference_low: lower bound of its bootstrap interval.
        difference_high: upper bound.
        p: of the sign-flip test that there is no difference.
        p_holm: the same, adjusted for all cells that are compared with this baseline.
    """

    cell: str
    metric: str
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


class Sample(NamedTuple):
    """Scores (n,) of a cell's scored pages in percent, each the mean over all runs, and groups.

    `drawn` says what the groups are.
    """

    cell: str
    metric: str
    values: NDArray[np.floating]
    groups: NDArray[Any]
    drawn: str


def read_samples(params: Params) -> Iterator[Sample]:
    """Page by page scores of every trained cell, of every system, then of every ensemble."""
    scores = read_scores(params)
    tasks = dict(scores.loc[scores["trained"], ["cell", "task"]].to_numpy().tolist())
    tasks |= dict(read_systems(params)[["cell", "task"]].to_numpy().tolist())
    pages = pd.concat([read_scored_pages(params), read_scored_pages(params, "system_pages")])
    for cell, own in pages[pages["cell"].isin(tasks)].groupby("cell", sort=False):
        name, task = str(cell), tasks[cell]
        shape = own["seed"].nunique(), -1  # run by run the same pages in the same order
        first = own.iloc[: len(own) // shape[0]]
        if task == "writers":
            scored = first["average_precision"].notna().to_numpy()
            for metric, column in (("mAP", "average_precision"), ("top1", "top1")):
                values = own[column].to_numpy(float).reshape(shape).mean(axis=0)[scored]
                writers = first["label"].to_numpy()[scored]
                yield Sample(name, metric, 100 * values, writers, "writers")
        else:
            right = (own["predicted"] == own["label"]).to_numpy().reshape(shape).mean(axis=0)
            yield Sample(name, "accuracy", 100 * right, *_groups(params, task, first))
    for cell, own in read_scored_pages(params, "ensemble_pages").groupby("cell", sort=False):
        right = (own["weighted"] == own["label"]).to_numpy()
        groups = _groups(params, tasks[cell], own)
        yield Sample(str(cell), "ensemble", 100.0 * right, *groups)


def compare(params: Params, samples: Iterable[Sample]) -> pd.DataFrame:
    """Intervals of all samples, and tests of those that have a baseline: rows of `Comparison`."""
    of = {(one.cell, one.metric): one for one in samples}
    baseline = _baselines(read_scores(params)) | _baselines_of_systems(params)
    found = []
    for (cell, metric), own in of.items():
        low, high = _interval(params, own.values, own.groups)
        row = Comparison(
            cell=cell,
            metric=metric,
            score=float(own.values.mean()),
            low=low,
            high=high,
            queries=len(own.values),
            groups=len(np.unique(own.groups)),
            drawn=own.drawn,
            baseline=baseline.get(cell),
        )
        found.append(row if row.baseline is None else _tested(params, row, of))
    rows = pd.DataFrame(found)
    return rows.assign(p_holm=rows.groupby(["baseline", "metric"])["p"].transform(holm))


def read_comparisons(params: Params) -> dict[tuple[str, str], Comparison]:
    """Rows of comparisons.csv by cell and metric."""
    file = params.data / "compare" / "comparisons.csv"
    rows = pd.read_csv(file).astype(object)
    values = rows.where(rows.notna(), None).itertuples(index=False, name=None)
    found = [Comparison(*row) for row in values]
    return {(one.cell, one.metric): one for one in found}


def _groups(params: Params, task: str, pages: pd.DataFrame) -> tuple[NDArray[Any], str]:
    """The group of each page, the page alone where it has none, and what the groups are."""
    listed = {page.file: page.group for page in read_pages(params.data / "acquire" / f"{task}.csv")}
    settings = params.active.acquire
    drawn = "pages"
    if any(listed.values()):
        own = isinstance(settings, AcquireFolder)
        drawn = f"{getattr(settings, task).group}s" if own else "manuscripts"
    return np.array([listed[page] or page for page in pages["file"]]), drawn


def _baselines(scores: pd.DataFrame) -> dict[str, str]:
    """The cell of average pooling with the task and margin of each other trained cell."""
    cells = scores[scores["trained"]].drop_duplicates("cell").fillna({"margin": 0})
    average = cells[cells["pooling_name"] == AVERAGE].drop_duplicates(["task", "margin"])
    pairs = cells.merge(average, on=["task", "margin"], suffixes=("", "_of_average"))
    pairs = pairs[pairs["cell"] != pairs["cell_of_average"]]
    return dict(zip(pairs["cell"], pairs["cell_of_average"], strict=True))


def _baselines_of_systems(params: Params) -> dict[str, str]:
    """The baseline of each system, step by step and for each script task."""
    runs = read_systems(params).drop_duplicates("cell")
    of = params.baselines
    pairs = {
        cell: system_cell(of[system], cell.removeprefix(f"{system}/"))
        for cell, system in runs[["cell", "system"]].to_numpy().tolist()
        if system in of
    }
    return {cell: other for cell, other in pairs.items() if other in set(runs["cell"])}


def _tested(
    params: Params, alone: Comparison, samples: Mapping[tuple[str, str], Sample]
) -> Comparison:
    own = samples[alone.cell, alone.metric]
    differences = own.values - samples[str(alone.baseline), alone.metric].values
    low, high = _interval(params, differences, own.groups)
    return replace(
        alone,
        difference=float(differences.mean()),
        difference_low=low,
        difference_high=high,
        p=sign_flip_test(
            differences,
            own.groups,
            rng=np.random.default_rng(params.compare.seed),
            resamples=params.compare.resamples,
        ),
    )


def _interval(params: Params, values: NDArray[np.floating], groups: NDArray[Any]) -> Interval:
    # A generator for each, so that a cell more or less leaves the others' numbers alone.
    return bootstrap_interval(
        values,
        groups,
        rng=np.random.default_rng(params.compare.seed),
        confidence=params.compare.confidence,
        resamples=params.compare.resamples,
    )

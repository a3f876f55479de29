"""Stage compare: scores page by page -> intervals, and tests of each pooling against average.

Reads evaluate/pages.csv, ensemble/pages.csv and the page lists in acquire/ below data/<profile>/,
writes data/<profile>/compare/comparisons.csv: a row for each cell and score.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dgmp.analysis.bootstrap import Interval, bootstrap_interval
from dgmp.analysis.randomization_test import holm, sign_flip_test
from pipeline.evaluation.comparisons import Comparison, baseline_of, seeds_text
from pipeline.evaluation.predictions import RunError, script_cells, seeds_of
from pipeline.settings.base import Task
from pipeline.settings.data import AcquireFolder
from pipeline.settings.params import Params, load_params
from pipeline.shared.files import csv_text, write_text
from pipeline.shared.page_lists import read_pages
from pipeline.shared.stage import run

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Sample:
    """Scores (n,) of a cell's scored pages in percent, each the mean over all runs, and groups.

    `drawn` says what the groups are.
    """

    values: NDArray[np.floating]
    groups: NDArray[Any]
    drawn: str


Samples = Mapping[tuple[str, str], Sample]


def read_samples(params: Params) -> Samples:
    """Page by page scores of every cell, by cell and metric.

    Raises:
        RunError: naming the file that is missing, damaged, or lacks a run.
        ValueError: a page list is missing or of an older form.
    """
    file = params.data / "evaluate" / "pages.csv"
    evaluated = _read(file, "evaluate", ["cell", "seed"])
    samples: dict[tuple[str, str], Sample] = {}
    for name, cell in params.cells.items():
        runs = [_pages(evaluated, file, name, str(s)) for s in seeds_of(name, cell, params)]
        if cell.task == "writers":
            scored = (runs[0]["average_precision"] != "").to_numpy()
            for metric, column in (("mAP", "average_precision"), ("top1", "top1")):
                values = np.mean([one[column][scored].astype(float) for one in runs], axis=0)
                writers = runs[0]["label"][scored].to_numpy()
                samples[name, metric] = Sample(100 * values, writers, "writers")
        else:
            right = np.mean([one["predicted"] == one["label"] for one in runs], axis=0)
            samples[name, "accuracy"] = Sample(100 * right, *_groups(params, cell.task, runs[0]))
    file = params.data / "ensemble" / "pages.csv"
    combined = _read(file, "ensemble", ["cell"])
    for name, cell in script_cells(params).items():
        one = _pages(combined, file, name)
        right = (one["weighted"] == one["label"]).to_numpy()
        samples[name, "ensemble"] = Sample(100.0 * right, *_groups(params, cell.task, one))
    return samples


def _groups(params: Params, task: Task, pages: pd.DataFrame) -> tuple[NDArray[Any], str]:
    """The group of each page, the page alone where it has none, and what the groups are."""
    file = params.data / "acquire" / f"{task}.csv"
    listed = {page.file: page.group for page in read_pages(file)}
    unknown = [page for page in pages["file"] if page not in listed]
    if unknown:
        raise RunError(f"{file} does not list the test page {unknown[0]}: run `dvc repro acquire`")
    settings = params.active.acquire
    drawn = "pages"
    if isinstance(settings, AcquireFolder) and any(listed.values()):
        drawn = f"{getattr(settings, task).group}s"
    return np.array([listed[page] or page for page in pages["file"]]), drawn


def _read(file: Path, stage: str, index: list[str]) -> pd.DataFrame:
    try:
        return pd.read_csv(file, dtype=str, keep_default_na=False).set_index(index)
    except FileNotFoundError:
        raise RunError(f"{file} is missing: run `dvc repro {stage}`") from None
    except (KeyError, ValueError) as error:
        raise RunError(f"{file} is damaged ({error!r}): run `dvc repro -f {stage}`") from None


def _pages(frame: pd.DataFrame, file: Path, *run: str) -> pd.DataFrame:
    try:
        pages: pd.DataFrame = frame.loc[[run if len(run) > 1 else run[0]]]
    except KeyError:
        raise RunError(
            f"{file} has no pages of {', seed '.join(run)}: run `dvc repro {file.parent.name}`"
        ) from None
    return pages


def compare(params: Params, samples: Samples) -> list[Comparison]:
    """Intervals of all samples, and tests of those that have a baseline."""
    found = [_compare(params, samples, cell, metric) for cell, metric in samples]
    families: dict[tuple[str, str], dict[int, float]] = {}
    for i, one in enumerate(found):
        if one.baseline is not None and one.p is not None:
            families.setdefault((one.baseline, one.metric), {})[i] = one.p
    for members in families.values():
        for i, p in zip(members, holm(list(members.values())), strict=True):
            found[i] = replace(found[i], p_holm=float(p))
    return found


def _compare(params: Params, samples: Samples, cell: str, metric: str) -> Comparison:
    own = samples[cell, metric]
    low, high = _interval(params, own.values, own.groups)
    alone = Comparison(
        cell=cell,
        metric=metric,
        seeds=seeds_text(params, cell),
        score=float(own.values.mean()),
        low=low,
        high=high,
        queries=len(own.values),
        groups=len(np.unique(own.groups)),
        drawn=own.drawn,
    )
    baseline = baseline_of(params, cell)
    if baseline is None:
        return alone
    differences = own.values - samples[baseline, metric].values
    low, high = _interval(params, differences, own.groups)
    return replace(
        alone,
        baseline=baseline,
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


def main() -> None:
    params = load_params()
    found = compare(params, read_samples(params))
    rows = [
        [f"{value:.6f}" if isinstance(value, float) else value for value in astuple(one)]
        for one in found
    ]
    file = params.data / "compare" / "comparisons.csv"
    write_text(file, csv_text([[field.name for field in fields(Comparison)], *rows]))
    log.info("%s: %d scores", file, len(rows))


if __name__ == "__main__":
    run(main)

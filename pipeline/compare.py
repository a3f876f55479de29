"""Stage compare: scores page by page -> intervals, and tests of each pooling against average.

Reads evaluate/pages.csv and ensemble/pages.csv below data/<profile>/, writes
data/<profile>/compare/comparisons.csv: a row for each cell and score.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dgmp.intervals import Interval, bootstrap_interval
from dgmp.significance import holm, sign_flip_test
from pipeline.command import run
from pipeline.ensemble import script_cells
from pipeline.evaluate import RunError, csv_text, seeds_of, write_text
from pipeline.params import Params, Task, load_params

BASELINE = "avg"
METRICS: dict[Task, tuple[str, ...]] = {
    "writers": ("mAP", "top1"),
    "scripts_a": ("accuracy", "ensemble"),
    "scripts_b": ("accuracy", "ensemble"),
}

log = logging.getLogger(__name__)


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
        groups: number of writers or pages that are drawn.
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
    baseline: str | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    p: float | None = None
    p_holm: float | None = None


@dataclass(frozen=True, eq=False)
class Sample:
    """Scores (n,) of a cell's scored pages in percent, each the mean over all runs, and groups."""

    values: NDArray[np.floating]
    groups: NDArray[Any]


Samples = Mapping[tuple[str, str], Sample]


def read_samples(params: Params) -> Samples:
    """Page by page scores of every cell, by cell and metric.

    Raises:
        RunError: naming the file that is missing, damaged, or lacks a run.
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
                samples[name, metric] = Sample(100 * values, runs[0]["label"][scored].to_numpy())
        else:
            right = np.mean([one["predicted"] == one["label"] for one in runs], axis=0)
            samples[name, "accuracy"] = Sample(100 * right, np.arange(len(right)))
    file = params.data / "ensemble" / "pages.csv"
    combined = _read(file, "ensemble", ["cell"])
    for name in script_cells(params):
        one = _pages(combined, file, name)
        right = (one["weighted"] == one["label"]).to_numpy()
        samples[name, "ensemble"] = Sample(100.0 * right, np.arange(len(right)))
    return samples


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
        seeds=_seeds(params, cell),
        score=float(own.values.mean()),
        low=low,
        high=high,
        queries=len(own.values),
        groups=len(np.unique(own.groups)),
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


def _seeds(params: Params, cell: str) -> str:
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
            wanted = (_seeds(params, cell), baseline_of(params, cell))
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
        baseline=row["baseline"] or None,
        difference=number("difference"),
        difference_low=number("difference_low"),
        difference_high=number("difference_high"),
        p=number("p"),
        p_holm=number("p_holm"),
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

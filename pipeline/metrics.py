"""Stage metrics: all scores of the tables and of the variant -> the one DVC metrics file.

Reads evaluate/scores.csv, ensemble/scores.csv and variant/scores.json below data/<profile>/,
writes reports/<profile>/metrics.json, in percent with two decimals.
"""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any, Literal

from pipeline.command import run
from pipeline.ensemble import read_ensembles
from pipeline.evaluate import Run, RunError, read_runs, write_text
from pipeline.params import Params, Pooling, load_params

Score = Literal["mAP", "top1", "accuracy", "ensemble"]

log = logging.getLogger(__name__)


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

    runs: tuple[Run, ...]
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


def read_results(params: Params) -> Results:
    """Read the scores of exactly the runs that params.yaml lists.

    Raises:
        RunError: naming the file that is missing or lacks a run.
    """
    runs = read_runs(params.data / "evaluate" / "scores.csv", params.cells, params)
    return Results(tuple(runs), read_ensembles(params))


def pooling_label(pooling: Pooling) -> str:
    """Name of a pooling with its initial parameter, as a reader of the paper knows it.

    >>> pooling_label(Pooling.model_validate({"name": "dgmp", "lambda": 100000}))
    'DGMP, λ = 10⁵'
    """
    return {
        "avg": "Avg",
        "avg_l2": "Avg + ℓ²",
        "sum": "Sum",
        "max": "Max",
        "mixed": f"Mixed, α = {pooling.alpha:g}",
        "lse": f"LSE, r = {pooling.r:g}",
        "gem": f"GeM, p = {pooling.p:g}",
        "dgmp": f"DGMP, λ = {_power_of_ten(pooling.lambda_)}",
    }[pooling.name]


def _power_of_ten(value: float) -> str:
    exponent = round(math.log10(value))
    if exponent < 3 or value != 10**exponent:
        return f"{value:g}"
    return "10" + str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def metrics(params: Params) -> dict[str, Any]:
    """Scores of the variant and of all cells, by table.

    Raises:
        RunError: naming the file that is missing or lacks a run.
    """
    results = read_results(params)
    found: dict[str, Any] = {"variant": _variant(params)}
    for table, cells in params.tables:
        found[table] = {cell: _entry(results, cell) for cell in cells}
    return found


def _entry(results: Results, cell: str) -> dict[str, float]:
    scores: tuple[Score, ...] = ("mAP", "top1")
    if cell in results.ensembles:
        scores = ("accuracy", "ensemble")
    entry: dict[str, float] = {}
    for score in scores:
        summary = results.summarize(cell, score)
        entry[score] = round(summary.mean, 2)
        if summary.sd is not None:
            entry[f"{score}_sd"] = round(summary.sd, 2)
        if summary.collapsed:
            entry["collapsed_runs"] = summary.collapsed
    return entry


def _variant(params: Params) -> dict[str, Any]:
    file = params.data / "variant" / "scores.json"
    try:
        scores = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{file} is missing: run `dvc repro variant`") from None
    except json.JSONDecodeError as error:
        raise RunError(f"{file} is damaged ({error}): run `dvc repro -f variant`") from None
    if not isinstance(scores, dict):
        raise RunError(f"{file} must hold a mapping of scores: run `dvc repro -f variant`")
    rounded = {
        name: round(value, 2) if isinstance(value, float) else value
        for name, value in scores.items()
    }
    return {"task": params.train.task, "pooling": pooling_label(params.pooling), **rounded}


def main() -> None:
    params = load_params()
    file = params.reports / "metrics.json"
    write_text(file, json.dumps(metrics(params), indent=2, ensure_ascii=False) + "\n")
    log.info("all scores: %s", file)


if __name__ == "__main__":
    run(main)

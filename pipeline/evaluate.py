"""Stage evaluate: test predictions of every run that params.yaml lists -> scores, one row a run.

Reads data/<profile>/train/<cell>/ and untrained/<name>/ (seed<k>.npz and runs.json), writes
data/<profile>/evaluate/scores.csv and untrained.csv, pages.csv with a row for each test page of
each run, and distances.csv, the writers' scores by either distance of page descriptors.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

from dgmp.metrics import Distance
from pipeline.evaluation.predictions import (
    Arrays,
    RunError,
    read_predictions,
    read_run_facts,
    read_test_set,
    require_same_pages,
    run_folder,
    seeds_of,
)
from pipeline.evaluation.scored_runs import SCORES, ScoredRun, write_runs
from pipeline.evaluation.scores import Scores, score_predictions
from pipeline.settings.base import Task
from pipeline.settings.cells import Cell
from pipeline.settings.params import Params, load_params
from pipeline.shared.files import csv_text, write_text
from pipeline.shared.stage import run

DISTANCE_COLUMNS = (
    "cell",
    "seed",
    *(f"{kind}_{distance}" for distance in get_args(Distance) for kind in ("mAP", "top1")),
)

log = logging.getLogger(__name__)


class PageRow(NamedTuple):
    """One row of pages.csv: a test page as it was scored in a run.

    The average precision is in [0, 1]; it and the top-1 hit are None for a page without a relevant
    one, and where the task has no such score.
    """

    cell: str
    seed: int
    file: str
    label: str
    average_precision: str | None = None
    top1: int | None = None
    predicted: str | None = None


def score(
    prediction_file: Path, task: Task, distance: Distance = "sqeuclidean"
) -> dict[str, float]:
    """Test scores in percent of one prediction file: mAP and top1 by that distance, or accuracy.

    Raises:
        RunError: naming the file and what is wrong in it.
    """
    arrays = read_predictions(prediction_file, task)
    return _main(_score(arrays, prediction_file, task, distance))


def _main(scores: Scores) -> dict[str, float]:
    names = ("mAP", "top1", "accuracy")
    return {name: scores.percent[name] for name in names if name in scores.percent}


def _score(arrays: Arrays, file: Path, task: Task, distance: Distance) -> Scores:
    try:
        return score_predictions(arrays, task, distance)
    except ValueError as error:
        raise RunError(f"{file}: {error}") from None


def measure(params: Params, cells: Mapping[str, Cell]) -> Iterator[tuple[ScoredRun, list[PageRow]]]:
    """Scores of all runs of these cells or untrained rows, each with those of its test pages."""
    first: dict[Task, tuple[Arrays, Path]] = {}
    for name, cell in cells.items():
        seeds = seeds_of(name, cell, params)
        facts = read_run_facts(name, seeds, params)
        for seed, arrays in read_test_set(name, cell, seeds, params).items():
            file = run_folder(name, params) / f"seed{seed}.npz"
            require_same_pages(*first.setdefault(cell.task, (arrays, file)), arrays, file)
            scores = _score(arrays, file, cell.task, params.active.writers.distance)
            run = ScoredRun(
                cell=name,
                task=cell.task,
                pooling=cell.pooling,
                margin=cell.margin,
                seed=seed,
                validation_score=_number(facts[seed].get("validation_score")),
                best_epoch=facts[seed].get("best_epoch"),
                collapsed=bool(facts[seed].get("collapsed", False)),
                **{score: scores.percent.get(score) for score in SCORES},
            )
            pages = zip(arrays["files"], arrays["labels"], scores.pages, strict=True)
            yield run, [PageRow(name, seed, page, label, **own) for page, label, own in pages]


def compare_distances(params: Params) -> list[dict[str, Any]]:
    """Rows of distances.csv: the writers' runs ranked by either distance of the page descriptors.

    Page descriptors are means of unit vectors; the cosine is squared Euclidean distance on means
    of unit length. A run with a descriptor of zeros has no cosine.
    """
    rows: list[dict[str, Any]] = []
    for name, cell in params.cells.items():
        if cell.task != "writers":
            continue
        seeds = seeds_of(name, cell, params)
        for seed, arrays in read_test_set(name, cell, seeds, params).items():
            file = run_folder(name, params) / f"seed{seed}.npz"
            row: dict[str, Any] = {"cell": name, "seed": seed}
            for distance in get_args(Distance):
                if distance == "cosine" and not arrays["descriptors"].any(axis=1).all():
                    continue
                for kind, value in _main(_score(arrays, file, cell.task, distance)).items():
                    row[f"{kind}_{distance}"] = f"{value:.6f}"
            rows.append(row)
    return rows


def _number(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def main() -> None:
    params = load_params()
    runs, pages = zip(*measure(params, {**params.cells, **params.untrained}), strict=True)
    write_text(
        params.data / "evaluate" / "pages.csv",
        csv_text([PageRow._fields, *(row for rows in pages for row in rows)]),
    )
    for name, cells in (("scores", params.cells), ("untrained", params.untrained)):
        file = params.data / "evaluate" / f"{name}.csv"
        rows = [run for run in runs if run.cell in cells]
        write_runs(file, rows)
        log.info("%s: %d runs", file, len(rows))
    distances = compare_distances(params)
    write_text(
        params.data / "evaluate" / "distances.csv",
        csv_text(
            [DISTANCE_COLUMNS, *([row.get(c) for c in DISTANCE_COLUMNS] for row in distances)]
        ),
    )


if __name__ == "__main__":
    run(main)

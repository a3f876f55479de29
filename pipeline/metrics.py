"""Stage metrics: all scores of the tables and of the variant -> the one DVC metrics file.

Reads evaluate/scores.csv, ensemble/scores.csv and variant/scores.json below data/<profile>/,
writes reports/<profile>/metrics.json, in percent with two decimals.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from pipeline.evaluation.pooling_names import pooling_label
from pipeline.evaluation.predictions import RunError
from pipeline.evaluation.results import Results, Score, read_results
from pipeline.settings.params import Params, load_params
from pipeline.shared.files import write_text
from pipeline.shared.stage import run

log = logging.getLogger(__name__)


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

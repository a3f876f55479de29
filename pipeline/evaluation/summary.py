"""All scores of the tables and of the variant, for DVC's metrics."""

from __future__ import annotations

import json
from typing import Any

from pipeline.evaluation.measure import score_file
from pipeline.evaluation.pooling_names import pooling_label
from pipeline.evaluation.results import MAIN_SCORES, Results, read_results
from pipeline.evaluation.systems import system_cell
from pipeline.shared.settings.params import Params
from pipeline.shared.settings.systems import STEPS


def summarize_all(params: Params) -> dict[str, Any]:
    """Scores of the variant and of all cells, by table, in percent with two decimals.

    Raises:
        RunError: the variant's predictions cannot be scored.
    """
    results = read_results(params)
    cells = dict(params.tables)
    systems = {
        name: {step: _entry(results, system_cell(name, step)) for step in STEPS}
        for name in cells.pop("table4")
    }
    return {
        "variant": _variant(params),
        **{
            table: {cell: _entry(results, cell) for cell in names} for table, names in cells.items()
        },
        "table4": systems,
    }


def _entry(results: Results, cell: str) -> dict[str, float]:
    entry: dict[str, float] = {}
    for score in [*MAIN_SCORES, "ensemble"]:
        if summary := results.get((cell, score)):
            entry[score] = round(summary.mean, 2)
            if summary.sd is not None:
                entry[f"{score}_sd"] = round(summary.sd, 2)
            if summary.collapsed:
                entry["collapsed_runs"] = summary.collapsed
    return entry


def _variant(params: Params) -> dict[str, Any]:
    task, folder = params.train.task, params.data / "variant"
    predictions = folder / f"seed{params.train.seed}.npz"
    scores = score_file(predictions, task, params.active.writers.distance)
    (facts,) = json.loads((folder / "runs.json").read_text(encoding="utf-8"))
    rounded = {
        name: round(value, 2) if isinstance(value, float) else value
        for name, value in {**scores, **facts}.items()
    }
    return {"task": task, "pooling": pooling_label(params.pooling), **rounded}

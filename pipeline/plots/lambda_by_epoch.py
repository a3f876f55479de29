"""Stage lambdas: lambda of DGMP by epoch, for `dvc plots`.

Reads data/<profile>/train/<cell>/curves.csv of all DGMP cells, writes
reports/<profile>/lambda.json: set, pooling, epoch, and the mean and mean ± sd over the seeds.
"""

from __future__ import annotations

import json
import logging
from typing import Any

import numpy as np

from pipeline.evaluation.pooling_names import pooling_label
from pipeline.evaluation.predictions import run_folder, train_command
from pipeline.plots.training_curves import read_epochs
from pipeline.settings.cells import Cell
from pipeline.settings.params import Params, load_params
from pipeline.shared.files import write_text
from pipeline.shared.stage import run

log = logging.getLogger(__name__)


def rows_of(params: Params, name: str, cell: Cell) -> list[dict[str, Any]]:
    """A row for each epoch of a DGMP cell.

    Raises:
        RunError: naming the file that is missing or damaged, and the command that makes it.
    """
    seeds = params.active.schedule(cell.task).seeds
    remedy = f"run `{train_command(name, params)}`"
    file = run_folder(name, params) / "curves.csv"
    epochs, values = read_epochs(file, "pooling_parameter", seeds, remedy)
    mean = values.mean(axis=0)
    sd = values.std(axis=0, ddof=1) if len(seeds) > 1 else np.zeros_like(mean)
    margin = "" if cell.margin is None else f", margin {cell.margin:g}"
    return [
        {
            "set": getattr(params.active.titles, cell.task) + margin,
            "pooling": pooling_label(params.poolings[cell.pooling]),
            "epoch": int(epoch),
            "lambda": round(float(at), 6),
            "low": round(float(at - spread), 6),
            "high": round(float(at + spread), 6),
        }
        for epoch, at, spread in zip(epochs, mean, sd, strict=True)
    ]


def main() -> None:
    params = load_params()
    rows = [
        row
        for name, cell in params.cells.items()
        if params.poolings[cell.pooling].name == "dgmp"
        for row in rows_of(params, name, cell)
    ]
    file = params.reports / "lambda.json"
    write_text(file, json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
    log.info("lambda by epoch: %s", file)


if __name__ == "__main__":
    run(main)

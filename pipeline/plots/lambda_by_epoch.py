"""Lambda of all DGMP cells by epoch, for `dvc plots`."""

from __future__ import annotations

from typing import Any

from pipeline.evaluation.pooling_names import pooling_label
from pipeline.plots.training_curves import read_curve
from pipeline.shared.settings.params import Params


def rows(params: Params) -> list[dict[str, Any]]:
    """Set, pooling, epoch, lambda (the mean of the seeds), low and high (mean ± sd)."""
    found: list[dict[str, Any]] = []
    for name, cell in params.cells.items():
        pooling = params.poolings[cell.pooling]
        if pooling.name != "dgmp":
            continue
        margin = "" if cell.margin is None else f", margin {cell.margin:g}"
        found += [
            {
                "set": getattr(params.active.titles, cell.task) + margin,
                "pooling": pooling_label(pooling),
                "epoch": int(epoch),
                "lambda": round(float(mean), 6),
                "low": round(float(mean - sd), 6),
                "high": round(float(mean + sd), 6),
            }
            for epoch, mean, sd in zip(*read_curve(params, name, "pooling_parameter"), strict=True)
        ]
    return found

"""Stage figures: validation errors of all runs -> Figure 4, mean and deviation per epoch.

Reads data/<profile>/train/<cell>/{curves.csv,runs.json} of the cells of Tables II and III, writes
reports/<profile>/figure4.png and .svg, and figure4.json, the same curves for `dvc plots`.
"""

from __future__ import annotations

import json
import logging
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from pipeline.evaluation.pooling_names import pooling_label
from pipeline.evaluation.predictions import read_run_facts, run_folder, train_command
from pipeline.plots.style import STYLE, STYLES, save_both, set_log_ticks
from pipeline.plots.training_curves import read_epochs
from pipeline.settings.base import Task
from pipeline.settings.cells import Cell, PoolingName
from pipeline.settings.params import Params, load_params
from pipeline.shared.files import write_text
from pipeline.shared.stage import run

# A logarithmic axis has no zero: what lies below this error, in percent, is drawn here.
FLOOR = 0.1
MARKERS = ("", "o", "s", "^")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Curve:
    """Validation error in percent of one cell: mean and mean ± sd over its seeds, by epoch.

    `collapsed` is the number of its runs that collapsed; they are part of the mean.
    """

    label: str
    pooling: PoolingName
    collapsed: int
    epochs: NDArray[np.int64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True)
class Panel:
    title: str
    score: str
    curves: tuple[Curve, ...]


def read_curve(params: Params, name: str, cell: Cell, label: str) -> Curve:
    """The curve of a cell over the seeds of its runs in params.yaml."""
    seeds = params.active.schedule(cell.task).seeds
    remedy = f"run `{train_command(name, params)}`"
    file = run_folder(name, params) / "curves.csv"
    epochs, errors = read_epochs(file, "validation_error", seeds, remedy)
    mean = errors.mean(axis=0)
    sd = errors.std(axis=0, ddof=1) if len(seeds) > 1 else np.zeros_like(mean)
    facts = read_run_facts(name, seeds, params).values()
    return Curve(
        label=label,
        pooling=params.poolings[cell.pooling].name,
        collapsed=sum(bool(fact.get("collapsed")) for fact in facts),
        epochs=epochs,
        mean=np.maximum(mean, FLOOR),
        low=np.maximum(mean - sd, FLOOR),
        high=np.maximum(mean + sd, FLOOR),
    )


def read_panels(params: Params) -> list[Panel]:
    """(a), (b) the script tasks, as in the paper, and (c) the writers of Table II.

    Raises:
        RunError: naming the file that is missing or damaged, and the command that makes it.
    """
    scores: dict[Task, str] = {
        "scripts_a": "100 − accuracy",
        "scripts_b": "100 − accuracy",
        "writers": "100 − mAP",
    }
    names = [*params.tables.table3, *params.tables.table2]
    panels = []
    for letter, (task, score) in zip("abc", scores.items(), strict=True):
        cells = {name: params.cells[name] for name in names if params.cells[name].task == task}
        if not cells:
            continue
        margins = {cell.margin for cell in cells.values()}
        curves = []
        for name, cell in cells.items():
            label = pooling_label(params.poolings[cell.pooling])
            if len(margins) > 1:
                label += f", margin {cell.margin:g}"
            curves.append(read_curve(params, name, cell, label))
        title = f"({letter}) {getattr(params.active.titles, task)}"
        if task == "writers" and len(margins) == 1:
            title += f", margin {margins.pop():g}"
        panels.append(Panel(title, score, tuple(curves)))
    if not panels:
        raise ValueError("params.yaml: tables.table2 and tables.table3 list no cell to draw")
    return panels


def plot_rows(panels: Sequence[Panel]) -> list[dict[str, Any]]:
    """The curves as rows for `dvc plots`: set, pooling, epoch, error, low, high, collapsed."""
    return [
        {
            "set": panel.title,
            "pooling": curve.label,
            "epoch": int(epoch),
            "error": round(float(error), 4),
            "low": round(float(low), 4),
            "high": round(float(high), 4),
            "collapsed": curve.collapsed,
        }
        for panel in panels
        for curve in panel.curves
        for epoch, error, low, high in zip(
            curve.epochs, curve.mean, curve.low, curve.high, strict=True
        )
    ]


def draw(panels: Sequence[Panel]) -> Figure:
    """Figure 4: a panel for each data set, its mean curves over bands of one deviation."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.9 * len(panels), 3.7), layout="constrained")
        for axes, panel in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            _draw_panel(axes, panel)
        if any(curve.collapsed for panel in panels for curve in panel.curves):
            figure.supxlabel("† the mean includes collapsed runs", fontsize=7, ha="right", x=0.99)
    return figure


def _draw_panel(axes: Axes, panel: Panel) -> None:
    drawn: list[PoolingName] = []
    for curve in panel.curves:
        colour, dashes = STYLES[curve.pooling]
        marker = MARKERS[drawn.count(curve.pooling) % len(MARKERS)]
        drawn.append(curve.pooling)
        axes.fill_between(curve.epochs, curve.low, curve.high, color=colour, alpha=0.13, lw=0)
        axes.plot(
            curve.epochs,
            curve.mean,
            color=colour,
            linestyle=dashes,
            marker=marker,
            markersize=3,
            linewidth=1.8 if curve.pooling == "dgmp" else 1.3,
            label=curve.label + (" †" if curve.collapsed else ""),
        )
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    # A deviation as large as the mean would reach down to the floor and flatten the curves.
    least = min(curve.mean.min() for curve in panel.curves)
    axes.set_ylim(bottom=max(0.75 * least, 0.97 * min(curve.low.min() for curve in panel.curves)))
    set_log_ticks(axes.yaxis)
    axes.grid(True, axis="y", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_title(textwrap.fill(panel.title, 34), fontsize=8.5)
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"validation error [%], {panel.score}")
    axes.legend(
        fontsize=7,
        handlelength=2.6,
        columnspacing=1,
        ncols=2,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.19),
    )


def main() -> None:
    params = load_params()
    panels = read_panels(params)
    save_both(draw(panels), params.reports, "figure4")
    text = json.dumps(plot_rows(panels), ensure_ascii=False, indent=1)
    write_text(params.reports / "figure4.json", text + "\n")
    log.info("validation errors per epoch: %s", params.reports / "figure4.png")


if __name__ == "__main__":
    run(main)

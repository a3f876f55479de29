"""Figure 4: validation error by epoch of the cells of Tables II and III, mean and deviation."""

from __future__ import annotations

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
from pipeline.evaluation.predictions import read_run_facts
from pipeline.plots.style import STYLE, STYLES, draw_grid, set_log_ticks
from pipeline.plots.training_curves import read_curve
from pipeline.shared.settings.base import Task
from pipeline.shared.settings.cells import PoolingName
from pipeline.shared.settings.params import Params, ParamsError

# A logarithmic axis has no zero: what lies below this error, in percent, is drawn here.
FLOOR = 0.1
MARKERS = ("", "o", "s", "^")


def figure(params: Params) -> Figure:
    """Figure 4: a panel for each data set, its mean curves over bands of one deviation.

    Raises:
        ParamsError: Tables II and III list no cell.
    """
    return draw(read_panels(params))


def rows(params: Params) -> list[dict[str, Any]]:
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
        for panel in read_panels(params)
        for curve in panel.curves
        for epoch, error, low, high in zip(
            curve.epochs, curve.mean, curve.low, curve.high, strict=True
        )
    ]


@dataclass(frozen=True)
class ErrorCurve:
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
    curves: tuple[ErrorCurve, ...]


def read_error(params: Params, name: str, label: str) -> ErrorCurve:
    """The curve of a cell."""
    cell = params.cells[name]
    epochs, mean, sd = read_curve(params, name, "validation_error")
    facts = read_run_facts(name, params.active.schedule(cell.task).seeds, params).values()
    return ErrorCurve(
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
        ParamsError: Tables II and III list no cell.
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
            curves.append(read_error(params, name, label))
        title = f"({letter}) {getattr(params.active.titles, task)}"
        if task == "writers" and len(margins) == 1:
            title += f", margin {margins.pop():g}"
        panels.append(Panel(title, score, tuple(curves)))
    if not panels:
        raise ParamsError("params.yaml: tables.table2 and tables.table3 list no cell to draw")
    return panels


@mpl.rc_context(STYLE)
def draw(panels: Sequence[Panel]) -> Figure:
    """A panel for each data set."""
    figure = Figure(figsize=(2.9 * len(panels), 3.7), layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
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
    draw_grid(axes)
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

"""Figure 6: confusion matrices of the script tasks, average pooling beside DGMP."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dgmp.metrics import evaluate_classification
from pipeline.evaluation.pooling_names import pooling_label
from pipeline.evaluation.predictions import read_test_set
from pipeline.plots.style import STYLE, STYLES, draw_grid
from pipeline.shared.settings.base import SCRIPT_TASKS, Task
from pipeline.shared.settings.cells import PoolingName
from pipeline.shared.settings.params import Params, ParamsError

COMPARED: tuple[PoolingName, ...] = ("avg", "dgmp")
# Percent of a class's pages; smaller numbers are not written into the matrix.
SHOWN = 1
COLOURS = "Blues"

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def figure(params: Params) -> Figure:
    """Figure 6: a row for each data set, its confusion matrices and the recall of each class.

    Raises:
        ParamsError: Table III has neither a cell of average pooling nor one of DGMP.
    """
    return draw(read_panels(params))


@dataclass(frozen=True)
class Confusions:
    """How the test pages were classified in all runs of a cell.

    Attributes:
        label: Name of the pooling in tables and figures.
        pooling: Its name in params.yaml.
        classes: Sorted by the first number in their names, such as a century, then by name.
        counts: (C, C) pages of all runs together, rows true classes.
        recalls: (runs, C) in percent, nan for a class without pages.
    """

    label: str
    pooling: PoolingName
    classes: tuple[str, ...]
    counts: Counts
    recalls: Floats

    @property
    def percent(self) -> Floats:
        """(C, C) share of a class's pages, nan for a class without pages."""
        pages = self.counts.sum(axis=1, keepdims=True)
        return np.divide(
            100.0 * self.counts, pages, out=np.full(self.counts.shape, np.nan), where=pages > 0
        )

    @property
    def accuracy(self) -> float:
        """Mean of the runs, in percent."""
        return 100 * float(self.counts.trace() / self.counts.sum())


@dataclass(frozen=True)
class Panel:
    """The classifications of one data set, by each of the poolings."""

    title: str
    compared: tuple[Confusions, ...]


def read_confusions(params: Params, name: str) -> Confusions:
    """The classifications of a script cell's runs."""
    cell = params.cells[name]
    predictions = read_test_set(name, cell, params.active.schedule(cell.task).seeds, params)
    scores = [
        evaluate_classification(arrays["logits"], arrays["labels"], arrays["classes"])
        for arrays in predictions.values()
    ]
    classes = [str(one) for one in next(iter(predictions.values()))["classes"]]
    order = sorted(range(len(classes)), key=lambda i: (_first_number(classes[i]), classes[i]))
    pooling = params.poolings[cell.pooling]
    return Confusions(
        label=pooling_label(pooling),
        pooling=pooling.name,
        classes=tuple(classes[i] for i in order),
        counts=np.sum([one.confusion for one in scores], axis=0)[np.ix_(order, order)],
        recalls=np.stack([one.recall for one in scores])[:, order],
    )


def _first_number(name: str) -> int:
    found = re.search(r"\d+", name)
    return int(found.group()) if found else 0


def cells_of_table3(params: Params, task: Task) -> list[str]:
    """The cells of Table III that are of this task."""
    return [name for name in params.tables.table3 if params.cells[name].task == task]


def read_panels(params: Params) -> list[Panel]:
    """For each script task its first cell of average pooling and of DGMP.

    Raises:
        ParamsError: Table III has neither.
    """
    panels = []
    for letter, task in zip("ab", SCRIPT_TASKS, strict=True):
        chosen: dict[PoolingName, str] = {}
        for name in cells_of_table3(params, task):
            chosen.setdefault(params.poolings[params.cells[name].pooling].name, name)
        names = [chosen[pooling] for pooling in COMPARED if pooling in chosen]
        if not names:
            continue
        runs = len(params.active.schedule(task).seeds)
        title = f"({letter}) {getattr(params.active.titles, task)}, {runs} runs of each pooling"
        panels.append(Panel(title, tuple(read_confusions(params, name) for name in names)))
    if not panels:
        raise ParamsError(
            "params.yaml: tables.table3 lists no cell of average pooling nor of dgmp, whose "
            "classifications figure 6 would show: list one"
        )
    return panels


@mpl.rc_context(STYLE)
def draw(panels: Sequence[Panel]) -> Figure:
    """A row for each data set."""
    figure = Figure(figsize=(8, 3.7 * len(panels)), layout="constrained")
    parts = figure.subfigures(len(panels), 1, squeeze=False)[:, 0]
    for part, panel in zip(parts, panels, strict=True):
        part.suptitle(panel.title, fontsize=9.5)
        count = len(panel.compared)
        grid = part.subplots(1, count + 1, width_ratios=[1] * count + [0.5], squeeze=False)[0]
        for position, (axes, one) in enumerate(zip(grid, panel.compared, strict=False)):
            _draw_matrix(axes, one, named=position == 0)
        _draw_recall(grid[-1], panel)
    return figure


def _draw_matrix(axes: Axes, one: Confusions, *, named: bool) -> None:
    percent = one.percent
    axes.imshow(np.nan_to_num(percent), cmap=COLOURS, vmin=0, vmax=100, aspect="auto")
    for (row, column), value in np.ndenumerate(percent):
        if value >= SHOWN:
            axes.text(
                column,
                row,
                f"{value:.0f}",
                ha="center",
                va="center",
                fontsize=6,
                color="white" if value > 55 else "black",
                weight="bold" if row == column else "normal",
            )
    axes.set_title(f"{one.label}: accuracy {one.accuracy:.1f} %", fontsize=8.5)
    ticks = np.arange(len(one.classes))
    axes.set_xticks(ticks, one.classes, rotation=55, ha="right", rotation_mode="anchor", fontsize=7)
    axes.set_yticks(ticks, one.classes if named else [], fontsize=7)
    axes.set_xlabel("predicted, % of the true class's pages", fontsize=7.5)
    if named:
        axes.set_ylabel("true class")
    axes.spines[:].set(visible=True, linewidth=0.5)
    axes.tick_params(length=2)


def _draw_recall(axes: Axes, panel: Panel) -> None:
    rows = np.arange(len(panel.compared[0].classes))
    for position, one in enumerate(panel.compared):
        dgmp = one.pooling == "dgmp"
        spread = one.recalls.std(axis=0, ddof=1) if len(one.recalls) > 1 else None
        axes.errorbar(
            one.recalls.mean(axis=0),
            rows + 0.3 * (position - (len(panel.compared) - 1) / 2),
            xerr=spread,
            fmt="s" if dgmp else "o",
            markersize=3.5,
            markerfacecolor=STYLES[one.pooling][0] if dgmp else "white",
            color=STYLES[one.pooling][0],
            linewidth=0.9,
            label=one.label,
        )
    axes.set(xlim=(-3, 103), ylim=(len(rows) - 0.5, -0.5), yticks=rows)
    axes.set_yticklabels([])
    draw_grid(axes, "both")
    axes.set_title("recall of each class", fontsize=8.5)
    axes.set_xlabel("recall [%],\nmean ± sd of the runs", fontsize=7.5)
    axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.23), ncols=1)

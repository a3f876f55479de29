"""Stage confusion: which classes are taken for which -> Figure 6, average beside DGMP.

Reads data/<profile>/train/<cell>/ of Table III's cells of average pooling and of DGMP, writes
reports/<profile>/figure6.png and .svg.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dgmp.metrics import ClassificationScores, evaluate_classification
from pipeline.evaluation.pooling_names import pooling_label
from pipeline.evaluation.predictions import RunError, read_test_set, run_folder
from pipeline.plots.style import STYLE, STYLES, save_both
from pipeline.settings.base import Task
from pipeline.settings.cells import Cell, PoolingName
from pipeline.settings.params import Params, ParamsError, load_params
from pipeline.shared.stage import run

COMPARED: tuple[PoolingName, ...] = ("avg", "dgmp")
SCRIPT_TASKS: tuple[Task, ...] = ("scripts_a", "scripts_b")
# Percent of a class's pages below which a number would only be clutter.
SHOWN = 1
COLOURS = "Blues"

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Confusions:
    """How the test pages were classified in all runs of a cell.

    Attributes:
        label: Of the pooling.
        pooling: Its name.
        counts: (C, C) pages of all runs together, rows true classes.
        recalls: (runs, C) in percent, nan for a class without pages.
    """

    label: str
    pooling: PoolingName
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
    classes: tuple[str, ...]
    compared: tuple[Confusions, ...]


def read_confusions(params: Params, name: str, cell: Cell) -> tuple[tuple[str, ...], Confusions]:
    """Classes of a script cell, and the classifications of the seeds in params.yaml.

    Classes stand by the first number in their names, such as a century, then by name.

    Raises:
        RunError: naming the file that is missing or damaged, and the command that makes it.
    """
    seeds = params.active.schedule(cell.task).seeds
    scores: list[ClassificationScores] = []
    classes: tuple[str, ...] = ()
    for seed, arrays in read_test_set(name, cell, seeds, params).items():
        classes = tuple(map(str, arrays["classes"]))
        try:
            scores.append(
                evaluate_classification(arrays["logits"], arrays["labels"], arrays["classes"])
            )
        except ValueError as error:
            file = run_folder(name, params) / f"seed{seed}.npz"
            raise RunError(f"{file}: {error}") from None
    pooling = params.poolings[cell.pooling]
    order = sorted(range(len(classes)), key=lambda i: (_first_number(classes[i]), classes[i]))
    counts = np.sum([one.confusion for one in scores], axis=0)[np.ix_(order, order)]
    recalls = np.stack([one.recall for one in scores])[:, order]
    shown = tuple(classes[i] for i in order)
    return shown, Confusions(pooling_label(pooling), pooling.name, counts, recalls)


def _first_number(name: str) -> int:
    found = re.search(r"\d+", name)
    return int(found.group()) if found else 0


def cells_of_table3(params: Params, task: Task) -> dict[str, Cell]:
    """The cells of Table III that are of this task."""
    cells = {name: params.cells[name] for name in params.tables.table3}
    return {name: cell for name, cell in cells.items() if cell.task == task}


def read_panels(params: Params) -> list[Panel]:
    """For each script task its first cell of average pooling and of DGMP.

    Raises:
        ParamsError: Table III has neither.
        RunError: naming the file that is missing or damaged, and the command that makes it.
    """
    panels = []
    for letter, task in zip("ab", SCRIPT_TASKS, strict=True):
        chosen: dict[PoolingName, str] = {}
        for name, cell in cells_of_table3(params, task).items():
            chosen.setdefault(params.poolings[cell.pooling].name, name)
        names = [chosen[pooling] for pooling in COMPARED if pooling in chosen]
        if not names:
            continue
        read = [read_confusions(params, name, params.cells[name]) for name in names]
        runs = len(params.active.schedule(task).seeds)
        title = f"({letter}) {getattr(params.active.titles, task)}, {runs} runs of each pooling"
        panels.append(Panel(title, read[0][0], tuple(one for _, one in read)))
    if not panels:
        raise ParamsError(
            "params.yaml: tables.table3 lists no cell of average pooling nor of dgmp, whose "
            "classifications figure 6 would show: list one"
        )
    return panels


def draw(panels: Sequence[Panel]) -> Figure:
    """Figure 6: a row for each data set, its confusion matrices and the recall of each class."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 3.7 * len(panels)), layout="constrained")
        parts = figure.subfigures(len(panels), 1, squeeze=False)[:, 0]
        for part, panel in zip(parts, panels, strict=True):
            part.suptitle(panel.title, fontsize=9.5)
            count = len(panel.compared)
            grid = part.subplots(1, count + 1, width_ratios=[1] * count + [0.5], squeeze=False)[0]
            for position, (axes, one) in enumerate(zip(grid, panel.compared, strict=False)):
                _draw_matrix(axes, one, panel.classes, named=position == 0)
            _draw_recall(grid[-1], panel)
    return figure


def _draw_matrix(axes: Axes, one: Confusions, classes: Sequence[str], *, named: bool) -> None:
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
    ticks = np.arange(len(classes))
    axes.set_xticks(ticks, classes, rotation=55, ha="right", rotation_mode="anchor", fontsize=7)
    axes.set_yticks(ticks, classes if named else [], fontsize=7)
    axes.set_xlabel("predicted, % of the true class's pages", fontsize=7.5)
    if named:
        axes.set_ylabel("true class")
    axes.spines[:].set(visible=True, linewidth=0.5)
    axes.tick_params(length=2)


def _draw_recall(axes: Axes, panel: Panel) -> None:
    rows = np.arange(len(panel.classes))
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
    axes.grid(True, color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_title("recall of each class", fontsize=8.5)
    axes.set_xlabel("recall [%],\nmean ± sd of the runs", fontsize=7.5)
    axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.23), ncols=1)


def main() -> None:
    params = load_params()
    save_both(draw(read_panels(params)), params.reports, "figure6")
    log.info("confusion matrices: %s", params.reports / "figure6.png")


if __name__ == "__main__":
    run(main)

"""Figure 9: Table IV as a picture, the mAP of each system after each step of the chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.evaluation.comparison_tests import read_comparisons
from pipeline.evaluation.systems import STEP_NAMES, system_cell
from pipeline.plots.style import BLUE, STYLE, VERMILION, draw_grid
from pipeline.shared.settings.params import Params, ParamsError
from pipeline.shared.settings.systems import STEPS, Step

# Where a second panel starts, if at least half of the systems get that far.
ZOOM = 85
# Height of a row in inches, and of all else; of a row, what the steps take.
ROW, REST, SPREAD = 0.38, 1.1, 0.6


class Look(NamedTuple):
    """How a step is marked."""

    colour: str
    marker: str
    hollow: bool = False
    remark: str = ""


LOOKS: dict[Step, Look] = {
    "raw": Look(BLUE, "o"),
    "whitened": Look("#E69F00", "s"),
    "esvm": Look("#000000", "D"),
    "reranked": Look(VERMILION, "^", hollow=True, remark=" (transductive)"),
}


@dataclass(frozen=True)
class Row:
    """A system: its title, and mean mAP and bounds of the interval by step (4, 3), in percent."""

    title: str
    scores: np.ndarray


def figure(params: Params) -> Figure:
    """Figure 9: a row for each system, a marker and an interval for each step.

    Raises:
        ParamsError: Table IV lists no system.
    """
    title = (
        f"Writer retrieval, {params.active.titles.writers}: means of all runs and "
        f"{100 * params.compare.confidence:g} % intervals"
    )
    return draw(read_rows(params), title)


def read_rows(params: Params) -> list[Row]:
    """The systems of Table IV, in its order.

    Raises:
        ParamsError: it lists none.
    """
    if not params.tables.table4:
        raise ParamsError("params.yaml: tables.table4 lists no system to draw: list at least one")
    compared = read_comparisons(params)
    rows = []
    for name, system in params.tables.table4.items():
        found = [compared[system_cell(name, step), "mAP"] for step in STEPS]
        rows.append(Row(system.title, np.array([[c.score, c.low, c.high] for c in found])))
    return rows


@mpl.rc_context(STYLE)
def draw(rows: Sequence[Row], title: str) -> Figure:
    """All systems; beside them the upper end of the scale, if many are there."""
    best = np.array([row.scores[:, 0].max() for row in rows])
    zoomed = bool(np.mean(best >= ZOOM) >= 0.5)
    figure = Figure(figsize=(7.6, REST + ROW * len(rows)), layout="constrained")
    panels = figure.subplots(1, 1 + zoomed, sharey=True, squeeze=False)[0]
    for axes, lowest in zip(panels, (0, ZOOM), strict=False):
        _draw_panel(axes, rows, lowest)
    panels[0].set_yticks(range(len(rows)), [row.title for row in rows])
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(STEPS), fontsize=7.5)
    figure.suptitle(title, fontsize=9)
    return figure


def _draw_panel(axes: Axes, rows: Sequence[Row], lowest: float) -> None:
    for place in range(0, len(rows), 2):
        axes.axhspan(place - 0.5, place + 0.5, color="#F4F4F4", linewidth=0, zorder=0)
    for number, step in enumerate(STEPS):
        scores = np.array([row.scores[number] for row in rows], float)
        scores[scores[:, 0] < lowest] = np.nan
        places = np.arange(len(rows)) + SPREAD * (number / (len(STEPS) - 1) - 0.5)
        look = LOOKS[step]
        label = STEP_NAMES[step] + look.remark
        axes.hlines(places, scores[:, 1], scores[:, 2], color=look.colour, linewidth=0.8, zorder=2)
        marked: dict[str, Any] = {"markerfacecolor": "white"} if look.hollow else {}
        axes.plot(
            scores[:, 0], places, look.marker, color=look.colour, markersize=3.8, label=label,
            markeredgewidth=0.9, zorder=3, clip_on=False, **marked,
        )  # fmt: skip
    for place, row in enumerate(rows):
        if row.scores[:, 0].max() < lowest:
            axes.text(
                0.02, place, f"below {lowest:g} %", transform=axes.get_yaxis_transform(),
                va="center", fontsize=7, color="#6A6A6A",
            )  # fmt: skip
    draw_grid(axes, "x")
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel="test mAP [%]" if lowest == 0 else f"the same from {lowest:g} %")
    margin = (100 - lowest) / 50
    axes.set_xlim(lowest, 100 + margin)

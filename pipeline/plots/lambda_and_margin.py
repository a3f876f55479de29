"""Figure 5: mAP against lambda, absolute and relative, and against the margin."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.evaluation.pooling_names import pooling_label
from pipeline.evaluation.results import read_scores
from pipeline.plots.style import BLUE, STYLE, STYLES, VERMILION, draw_grid
from pipeline.shared.settings.cells import Cell, PoolingName
from pipeline.shared.settings.params import Params, ParamsError

DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1)), (0, (5, 2, 1, 2)))
# Colours of the margins, from the smallest.
COLOURS = (BLUE, VERMILION, "#009E73", "#CC79A7")
UNTRAINED = "#777777"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def figure(params: Params) -> Figure:
    """Figure 5: curves over lambda for each margin and without training, and over the margin.

    Raises:
        ParamsError: Table I lists no cell of writers.
    """
    seeds = ", ".join(map(str, params.active.writers.seeds))
    title = (
        f"Writer retrieval, {params.active.titles.writers}: mean ± sd of seeds {seeds}; "
        "dots are runs"
    )
    return draw(read_points(params), read_untrained(params), title)


class Look(NamedTuple):
    """How a curve looks; its points are not joined where it has no dashes."""

    colour: str
    marker: str
    dashes: Any = "none"


@dataclass(frozen=True)
class Point:
    """A cell: lambda at the start, and the test mAP of each run in percent."""

    label: str
    pooling: PoolingName
    lambda_: float | None
    relative: bool
    margin: float
    mAP: tuple[float, ...]  # noqa: N815 - as in the paper

    @property
    def mean(self) -> float:
        """Mean of the runs."""
        return float(np.mean(self.mAP))

    @property
    def sd(self) -> float:
        """Sample standard deviation; not a number for a single run."""
        return float(np.std(self.mAP, ddof=1)) if len(self.mAP) > 1 else math.nan


def read_points(params: Params) -> list[Point]:
    """The cells of Table I and of the sweep.

    Raises:
        ParamsError: Table I lists no cell of writers.
    """
    listed = {name: params.cells[name] for name in params.tables.table1}
    cells = {name: cell for name, cell in listed.items() if cell.task == "writers"}
    if not cells:
        raise ParamsError("params.yaml: tables.table1 lists no writers cell to draw: list one")
    return _points(params, cells | {name: params.cells[name] for name in params.sweep})


def read_untrained(params: Params) -> list[Point]:
    """The starting network with each pooling of `untrained`; lambda alone differs between them."""
    rows = {name: cell for name, cell in params.untrained.items() if cell.task == "writers"}
    return _points(params, rows)


def _points(params: Params, cells: Mapping[str, Cell]) -> list[Point]:
    scores = read_scores(params).set_index("cell")["mAP"]
    points = []
    for name, cell in cells.items():
        pooling = params.poolings[cell.pooling]
        assert cell.margin is not None  # params.py: a margin goes with task writers
        points.append(
            Point(
                label=pooling_label(pooling),
                pooling=pooling.name,
                lambda_=pooling.lambda_ if pooling.name == "dgmp" else None,
                relative=pooling.relative,
                margin=cell.margin,
                mAP=tuple(scores[[name]]),
            )
        )
    return points


@mpl.rc_context(STYLE)
def draw(points: Sequence[Point], untrained: Sequence[Point], title: str) -> Figure:
    """All panels, on one scale.

    Args:
        points: Cells that were trained.
        untrained: The starting network.
        title: Title of the figure.
    """
    figure = Figure(figsize=(9.6, 3.9), layout="constrained")
    left, middle, right = figure.subplots(1, 3, sharey=True, width_ratios=(4, 2.2, 3))
    _over_lambda(left, points, untrained)
    _over_relative_lambda(middle, [*points, *untrained])
    _over_margin(right, [point for point in points if not point.relative])
    for axes in (left, middle, right):
        draw_grid(axes)
        axes.legend(
            fontsize=7,
            handlelength=3.4,
            ncols=2,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.17),
        )
    for axes in (middle, right):
        axes.tick_params(labelleft=True)
    left.set_ylabel("test mAP [%]")
    figure.suptitle(title, fontsize=9)
    return figure


def _over_lambda(axes: Axes, points: Sequence[Point], untrained: Sequence[Point]) -> None:
    points = [point for point in points if not point.relative]
    started = [point for point in untrained if not point.relative]
    lambdas = sorted({p.lambda_ for p in [*points, *started] if p.lambda_ is not None})
    others = list(dict.fromkeys(point.label for point in points if point.lambda_ is None))
    exponents = [math.log10(value) for value in lambdas]
    step = (exponents[-1] - exponents[0]) / 4 if len(exponents) > 1 else 1.0
    end = exponents[-1] if exponents else 0.0
    places = {label: end + step * (i + 1) for i, label in enumerate(others)}
    margins = sorted({point.margin for point in points})
    for i, (margin, colour, marker, dashes) in enumerate(
        zip(margins, cycle(COLOURS), cycle(MARKERS), cycle(DASHES), strict=False)
    ):
        shift = 0.09 * step * (i - (len(margins) - 1) / 2)
        own = [point for point in points if point.margin == margin]
        curve = sorted((p for p in own if p.lambda_ is not None), key=lambda p: p.lambda_ or 0)
        label = f"margin {margin:g}"
        if curve:
            at = [math.log10(p.lambda_ or 1) + shift for p in curve]
            _draw(axes, at, curve, label, Look(colour, marker, dashes))
        rest = [point for point in own if point.lambda_ is None]
        at = [places[point.label] + shift for point in rest]
        _draw(axes, at, rest, None if curve else label, Look(colour, marker))
    alone = sorted((p for p in started if p.lambda_ is not None), key=lambda p: p.lambda_ or 0)
    rest = [point for point in started if point.label in places]
    look = Look(UNTRAINED, "o", (0, (1, 1)))
    _draw(axes, [math.log10(p.lambda_ or 1) for p in alone], alone, "without training", look)
    _draw(
        axes,
        [places[point.label] for point in rest],
        rest,
        None if alone else "without training",
        Look(UNTRAINED, "o"),
    )
    if lambdas and others:
        axes.axvline(end + 0.5 * step, color="#999999", linewidth=0.8)
    axes.set_xticks(
        [*exponents, *places.values()], [*(_power(value) for value in lambdas), *places]
    )
    axes.set_xlabel("DGMP, λ at the start of training" + ("  |  other poolings" if others else ""))


def _over_relative_lambda(axes: Axes, points: Sequence[Point]) -> None:
    curve = sorted((p for p in points if p.relative), key=lambda p: p.lambda_ or 0)
    places = [math.log10(point.lambda_ or 1) for point in curve]
    _draw(axes, places, curve, "without training", Look(UNTRAINED, "o", (0, (1, 1))))
    axes.set_xticks(places, [f"{point.lambda_:g}" for point in curve])
    axes.set_xlabel("DGMP, λ in units of the energy")


def _over_margin(axes: Axes, points: Sequence[Point]) -> None:
    margins = sorted({point.margin for point in points})
    labels = list(dict.fromkeys(point.label for point in points))
    of_lambda = cycle(DASHES)
    for i, (label, marker) in enumerate(zip(labels, cycle(MARKERS), strict=False)):
        curve = sorted((p for p in points if p.label == label), key=lambda p: p.margin)
        colour, dashes = STYLES[curve[0].pooling]
        if curve[0].pooling == "dgmp":
            dashes = next(of_lambda)
        shift = 0.05 * (i - (len(labels) - 1) / 2)
        at = [margins.index(point.margin) + shift for point in curve]
        _draw(axes, at, curve, label, Look(colour, marker, dashes))
    axes.set_xticks(range(len(margins)), [f"{margin:g}" for margin in margins])
    axes.set_xlim(-0.4, len(margins) - 0.6)
    axes.set_xlabel("margin of the triplet loss")


def _draw(
    axes: Axes,
    at: Sequence[float],
    points: Sequence[Point],
    label: str | None,
    look: Look,
) -> None:
    """Draw means with their deviations, and each run as a dot."""
    if not points:
        return
    bars = axes.errorbar(
        at,
        [point.mean for point in points],
        yerr=[point.sd for point in points],
        color=look.colour,
        marker=look.marker,
        markersize=4.5,
        linewidth=1.3,
        elinewidth=1,
        capsize=2.5,
        label=label,
    )
    bars.lines[0].set_linestyle(look.dashes)
    for x, point in zip(at, points, strict=True):
        axes.plot([x] * len(point.mAP), point.mAP, ".", color=look.colour, markersize=2.5)


def _power(value: float) -> str:
    exponent = math.log10(value)
    whole = exponent == round(exponent) and exponent >= 3
    return f"$10^{{{round(exponent)}}}$" if whole else f"{value:g}"

"""Figure 10: what carries the similarity of a query and the page that comes first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.patches import ConnectionPatch, Rectangle

from dgmp.encoding.surrogates.keypoint_patches import cut_around
from pipeline.plots.matching_pairs import Match, Pair, find_system, read_matches
from pipeline.plots.page_thumbnails import credited, show, shrink
from pipeline.plots.retrieval_rankings import mark
from pipeline.plots.style import BLUE, STYLE, VERMILION
from pipeline.shared.settings.params import Params

# One for each pair, of Okabe and Ito's palette; the number is there for those who see no colours.
COLOURS = (BLUE, VERMILION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#000000")
# A descriptor covers so many times the size of its keypoint; a crop shows at least so many stroke
# widths, which is some letters.
COVERED, STROKES = 6, 12
# Thumbnails: pixels and grey levels.
WIDTH, LEVELS = 220, 3
COLUMNS, GAP = 4, 0.06


def figure(params: Params) -> Figure:
    """Figure 10: a row for each query, its first page, and their pairs of local descriptors.

    Raises:
        ParamsError: Table IV lists no system of local descriptors pooled by GMP.
    """
    name, system = find_system(params)
    title = (
        f"{params.active.titles.writers}: {params.tables.table4[name].title}, seed "
        f"{system.seeds[0]}: pairs of local descriptors that carry most of the similarity"
    )
    matches = list(read_matches(params))
    return credited(draw(matches, title), params, [file for one in matches for file in one.files])


@mpl.rc_context(STYLE)
def draw(matches: Sequence[Match], title: str) -> Figure:
    """A row for each query: both pages, then the pairs."""
    rows = len(matches)
    figure = Figure(figsize=(7.6, 0.9 + 1.75 * max(rows, 1)), layout="constrained")
    figure.suptitle(title, fontsize=9)
    if not rows:
        figure.text(0.5, 0.5, "no test page is similar to another one", ha="center")
        return figure
    grid = GridSpec(
        2 * rows, 2 + COLUMNS, figure=figure, width_ratios=[1.45, 1.45, *[1.1] * COLUMNS]
    )
    for row, match in enumerate(matches):
        places = slice(2 * row, 2 * row + 2)
        pages = [figure.add_subplot(grid[places, column]) for column in (0, 1)]
        _draw_pages(figure, pages, match)
        for number, pair in enumerate(match.pairs):
            down, across = divmod(number, COLUMNS)
            axes = figure.add_subplot(grid[2 * row + down, 2 + across])
            _draw_pair(axes, match, number, pair)
    figure.supxlabel(
        "✓ solid blue frame: of the query's writer;  ✗ dashed orange frame: of another;  "
        "AP: average precision of the query\n"
        "squares: what a descriptor covers;  %: share of the pair in the cosine of the two pages\n"
        "shares: sum of all positive and of all negative ones; together they are the cosine, 100 %",
        fontsize=7.5,
    )
    return figure


def _draw_pages(figure: Figure, both: Sequence[Axes], match: Match) -> None:
    for axes, page in zip(both, match.pages, strict=True):
        show(axes, shrink(page, WIDTH, levels=LEVELS), line=1)
        axes.images[0].set_extent((0, page.shape[1], page.shape[0], 0))
    both[0].set_title(Path(match.files[0]).stem, fontsize=7)
    mark(both[1], Path(match.files[1]).stem, right=match.right)
    negative = match.positive - 100
    both[0].set_ylabel(
        f"AP {match.precision:.0f} %, cosine {match.similarity:.2f}\n"
        f"shares: +{match.positive:.0f} −{negative:.0f} %",
        fontsize=7,
    )
    for number, pair in reversed(list(enumerate(match.pairs))):
        colour = COLOURS[number % len(COLOURS)]
        line = ConnectionPatch(
            pair.places[0], pair.places[1], "data", "data", axesA=both[0], axesB=both[1],
            color=colour, linewidth=0.7, alpha=0.8,
        )  # fmt: skip
        line.set_in_layout(False)
        figure.add_artist(line)
    for number, pair in enumerate(match.pairs):
        for axes, place in zip(both, pair.places, strict=True):
            axes.annotate(str(number + 1), place, **_disc(number, 5))


def _disc(number: int, size: float) -> dict[str, Any]:
    """How a pair's number is written."""
    colour = COLOURS[number % len(COLOURS)]
    box = {"boxstyle": "circle,pad=0.15", "facecolor": colour, "edgecolor": "white", "lw": 0.4}
    return {
        "color": "white", "fontsize": size, "weight": "bold", "ha": "center", "va": "center",
        "bbox": box, "zorder": 10,
    }  # fmt: skip


def _draw_pair(axes: Axes, match: Match, number: int, pair: Pair) -> None:
    """Both places side by side, on one scale."""
    longest = max(max(page.shape) for page in match.pages)
    side = min(max(COVERED * pair.sizes.max(), STROKES * match.stroke), longest)
    colour = COLOURS[number % len(COLOURS)]
    for left, page, place, size in zip(
        (0, 1 + GAP), match.pages, pair.places, pair.sizes, strict=True
    ):
        axes.imshow(
            cut_around(page, place, math.ceil(side))[0], cmap="gray_r", vmin=0, vmax=1,
            interpolation="none", extent=(left, left + 1, 0, 1),
        )  # fmt: skip
        covered = min(COVERED * size / side, 1)
        corner = left + (1 - covered) / 2, (1 - covered) / 2
        axes.add_patch(Rectangle(corner, covered, covered, fill=False, color=colour, lw=0.8))
        axes.add_patch(Rectangle((left, 0), 1, 1, fill=False, color="black", lw=0.5))
    axes.set(xlim=(-0.01, 2 + GAP + 0.01), ylim=(-0.02, 1.02), aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_title(f"{pair.share:.1f} %", fontsize=7, pad=2)
    axes.annotate(
        str(number + 1),
        (0, 1),
        (3, 5),
        xycoords="axes fraction",
        textcoords="offset points",
        **_disc(number, 5.5),
    )

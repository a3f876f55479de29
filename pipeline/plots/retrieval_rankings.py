"""Figure 7: queries and the pages that the first DGMP cell of Table II ranks first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dgmp.analysis.nearest_pages import nearest
from dgmp.images.reading import read_gray
from dgmp.metrics import Distance, evaluate_retrieval
from pipeline.evaluation.pooling_names import pooling_label
from pipeline.evaluation.predictions import Arrays, read_test_set
from pipeline.plots.page_thumbnails import Gray, credited, detail, find_cell, show, shrink
from pipeline.plots.style import BLUE, STYLE, VERMILION
from pipeline.shared.settings.params import Params

QUERIES, FIRST = 4, 5
# Width in pixels and height / width of the middle of a page; then width and grey levels as shown.
TAKEN, ASPECT = 256, 0.7
WIDTH, LEVELS = 180, 3
# How a page of the query's writer and one of another are marked: sign, colour, line.
RIGHT, WRONG = ("✓", BLUE, "-"), ("✗", VERMILION, (0, (2.5, 1.2)))


def figure(params: Params) -> Figure:
    """Figure 7: a row for each query, then the first pages, right and wrong.

    Raises:
        ParamsError: Table II lists no DGMP cell.
    """
    name = find_cell(params)
    cell, seed = params.cells[name], params.active.writers.seeds[0]
    arrays = read_test_set(name, cell, (seed,), params)[seed]
    rankings = choose_rankings(arrays, params.active.writers.distance)
    files = [str(file) for file in arrays["files"]]
    folder = params.data / "binarize"
    shown = {page for ranking in rankings for page in (ranking.query, *ranking.found)}
    pages = {
        page: shrink(detail(read_gray(folder / files[page]), TAKEN, ASPECT), WIDTH, levels=LEVELS)
        for page in sorted(shown)
    }
    title = (
        f"{params.active.titles.writers}: {pooling_label(params.poolings[cell.pooling])}, margin "
        f"{cell.margin:g}, seed {seed}: test queries from the best to the worst"
    )
    drawn = draw(rankings, pages, list(map(str, arrays["labels"])), files, title)
    return credited(drawn, params, [files[page] for page in sorted(shown)])


@dataclass(frozen=True)
class Ranking:
    """A query and the pages that come first, by their positions among the test pages.

    `precision` is the query's average precision in percent.
    """

    query: int
    found: tuple[int, ...]
    precision: float


def choose_rankings(arrays: Arrays, distance: Distance) -> list[Ranking]:
    """Queries from the best to the worst by average precision, as far apart as they can be.

    Args:
        arrays: descriptors (n, D) and labels (n,).
        distance: Measure by which pages are ranked.

    Raises:
        ValueError: as `dgmp.metrics.evaluate_retrieval`.
    """
    scores = evaluate_retrieval(arrays["descriptors"], arrays["labels"], distance=distance)
    precision = scores.average_precision
    queries = from_best_to_worst(precision, QUERIES)
    first = min(FIRST, len(precision) - 1)
    found, _ = nearest(arrays["descriptors"], first, queries=queries, distance=distance)
    return [
        Ranking(int(query), tuple(map(int, pages)), 100 * float(precision[query]))
        for query, pages in zip(queries, found, strict=True)
    ]


def from_best_to_worst(precision: NDArray[np.floating], count: int) -> NDArray[np.intp]:
    """At most so many queries of (n,), as far apart by average precision as they can be.

    >>> from_best_to_worst(np.array([0.1, np.nan, 0.8, 0.4]), 2)
    array([2, 0])
    """
    scored = np.flatnonzero(~np.isnan(precision))
    order = scored[np.argsort(-precision[scored], kind="stable")]
    places = np.linspace(0, len(order) - 1, min(count, len(order)))
    return order[places.round().astype(int)]


@mpl.rc_context(STYLE)
def draw(
    rankings: Sequence[Ranking],
    pages: dict[int, Gray],
    labels: Sequence[str],
    files: Sequence[str],
    title: str,
) -> Figure:
    """A row for each query.

    Args:
        rankings: One for each row.
        pages: What is shown of each page, by position.
        labels: The writer of each test page.
        files: File of each test page.
        title: Title of the figure.
    """
    columns = 1 + max(len(ranking.found) for ranking in rankings)
    figure = Figure(figsize=(7.6, 0.8 + 1.08 * len(rankings)), layout="constrained")
    grid = figure.subplots(len(rankings), columns, squeeze=False)
    for row, ranking in zip(grid, rankings, strict=True):
        writer = labels[ranking.query]
        show(row[0], pages[ranking.query], line=1)
        row[0].set_title(f"{Path(files[ranking.query]).stem}", fontsize=7)
        row[0].set_ylabel(f"AP {ranking.precision:.0f} %", fontsize=8)
        for axes in row[1 + len(ranking.found) :]:
            axes.axis("off")
        for axes, page in zip(row[1:], ranking.found, strict=False):
            show(axes, pages[page])
            mark(axes, Path(files[page]).stem, right=labels[page] == writer)
    grid[0][0].annotate(
        "query", (0.5, 1), (0, 16), xycoords="axes fraction", textcoords="offset points",
        ha="center", weight="bold",
    )  # fmt: skip
    for rank, axes in enumerate(grid[0][1:], start=1):
        axes.annotate(
            f"rank {rank}", (0.5, 1), (0, 16), xycoords="axes fraction",
            textcoords="offset points", ha="center", weight="bold",
        )  # fmt: skip
    figure.suptitle(title, fontsize=9)
    figure.supxlabel(
        "✓ solid blue frame: of the query's writer;  ✗ dashed orange frame: of another;  "
        "AP: average precision of the query",
        fontsize=7.5,
    )
    return figure


def mark(axes: Axes, name: str, *, right: bool) -> None:
    """Name a page, and show by sign, colour and frame whether it is of the query's writer."""
    sign, colour, dashes = RIGHT if right else WRONG
    axes.set_title(f"{sign} {name}", fontsize=7, color=colour)
    axes.spines[:].set(color=colour, linewidth=2, linestyle=dashes, capstyle="butt")

"""Which network and pages the figures of pages show, how they show a page, and its source."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.benchmark.credits import read_credits
from pipeline.shared.page_lists import Page, read_pages
from pipeline.shared.settings.params import Params, ParamsError

Gray = NDArray[np.uint8]

WHITE, BLACK = 255, 0
# Credits below a figure: characters and inches of a line.
LINE, LINE_HEIGHT = 135, 0.11


def find_cell(params: Params) -> str:
    """The first cell of Table II that is pooled by DGMP.

    Raises:
        ParamsError: there is none.
    """
    for name in params.tables.table2:
        cell = params.cells[name]
        if cell.task == "writers" and params.poolings[cell.pooling].name == "dgmp":
            return name
    raise ParamsError(
        "params.yaml: tables.table2 lists no writers cell of a dgmp pooling, which "
        "figures 7 and 8 would show: list one"
    )


def read_test_pages(list_file: Path) -> dict[str, list[Page]]:
    """The test pages of each label in a page list, labels and pages sorted by name.

    Raises:
        ValueError: there is none.
    """
    found: dict[str, list[Page]] = {}
    for page in sorted(read_pages(list_file), key=lambda page: (page.label, page.file)):
        if page.split == "test":
            found.setdefault(page.label, []).append(page)
    if not found:
        raise ValueError(f"{list_file} has no page of the split test: give some pages this split")
    return found


def shrink(page: Gray, width: int, *, levels: int) -> Gray:
    """A page (H, W) at most so many pixels wide, in a few levels of grey, which pack well."""
    height = round(page.shape[0] * width / page.shape[1])
    if width < page.shape[1]:
        page = np.asarray(cv2.resize(page, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    steps = np.rint(page / WHITE * (levels - 1))
    return np.rint(steps * WHITE / (levels - 1)).astype(np.uint8)


def detail(page: Gray, width: int, aspect: float) -> Gray:
    """The middle of a page (H, W), at most so many pixels across, and height / width of it."""
    size = (min(page.shape[0], round(width * aspect)), min(page.shape[1], width))
    top, left = ((whole - part) // 2 for whole, part in zip(page.shape, size, strict=True))
    return page[top : top + size[0], left : left + size[1]]


def show(axes: Axes, page: Gray, *, colour: str = "black", line: float = 0.5) -> None:
    """Draw a page in a frame, without ticks."""
    axes.imshow(page, cmap="gray", vmin=BLACK, vmax=WHITE, interpolation="none")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, linewidth=line, color=colour)


def credited(figure: Figure, params: Params, files: Iterable[str]) -> Figure:
    """The figure with the sources and licences of the pages that it shows below it, if known.

    Args:
        figure: One that is drawn; its label below stays.
        params: All settings.
        files: Of the pages, as in the page lists.
    """
    credit = read_credits(params).of(files)
    if not credit:
        return figure
    lines = textwrap.wrap(f"Pages, from github.com: {credit}", LINE)
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + LINE_HEIGHT * (len(lines) + 1))
    figure.supxlabel("\n".join([*filter(None, [figure.get_supxlabel()]), *lines]), fontsize=6.5)
    return figure

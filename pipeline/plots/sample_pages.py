"""Figures 2 and 3: test pages of writers, and of scripts that the runs take for each other."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from dgmp.images.negatives import turn_positive
from dgmp.images.reading import read_gray
from pipeline.benchmark.credits import read_credits
from pipeline.plots.confusion_matrices import Counts, cells_of_table3, read_confusions
from pipeline.plots.page_thumbnails import Gray, credited, read_test_pages, show, shrink
from pipeline.plots.style import STYLE
from pipeline.shared.page_lists import Page
from pipeline.shared.settings.base import SCRIPT_TASKS, Task
from pipeline.shared.settings.params import Params, ParamsError

OTHERS = 2
PAIRS = 2
# Pixels of a page across, and its levels of grey.
WIDTH, LEVELS = 290, 16


def writers_figure(params: Params) -> Figure:
    """Figure 2: two pages of one writer, and one each of others.

    Raises:
        ValueError: there are too few test pages for that.
    """
    groups = read_writers(params)
    drawn = draw(groups, f"Test pages of {params.active.titles.writers}")
    return credited(drawn, params, files_of(groups))


def scripts_figure(params: Params) -> Figure:
    """Figure 3: pages of the classes that are most often taken for each other.

    Raises:
        ParamsError: Table III has no script cell.
    """
    task = next((task for task in SCRIPT_TASKS if cells_of_table3(params, task)), None)
    if task is None:
        raise ParamsError(
            "params.yaml: tables.table3 lists no cell that tells script types apart: list one"
        )
    runs = len(cells_of_table3(params, task)) * len(params.active.schedule(task).seeds)
    found = read_credits(params)
    pages = {
        label: [page for page in own if found.may_show(page.file)]
        for label, own in read_test_pages(params.data / "acquire" / f"{task}.csv").items()
    }
    title = (
        f"Test pages of {getattr(params.active.titles, task)}: the classes most often taken for "
        f"each other, no class shown twice, all {runs} runs of Table III"
    )
    if not all(pages.values()):
        title += "; of classes that have a page whose licence allows to show it"
    groups = read_scripts(params, task, pages)
    return credited(draw(groups, title), params, files_of(groups))


@dataclass(frozen=True)
class Group:
    """Pages under one heading, each with its caption."""

    heading: str
    captions: tuple[str, ...]
    files: tuple[str, ...]
    pages: tuple[Gray, ...]


def files_of(groups: Iterable[Group]) -> list[str]:
    """The files of all pages shown, as in the page lists."""
    return [file for group in groups for file in group.files]


@dataclass(frozen=True)
class Pair:
    """Two classes, and how many percent of their pages were taken for the other of them."""

    one: int
    other: int
    mistaken: float


def choose_writers(pages: dict[str, list[Page]]) -> tuple[list[Page], list[Page]]:
    """Two pages of the first writer who has two, and the first page of the next writers.

    Raises:
        ValueError: no writer has two pages, or there is no other.
    """
    first = next((label for label, own in pages.items() if len(own) > 1), None)
    if first is None or len(pages) < 2:
        raise ValueError(
            f"the writer task has {len(pages)} test writers, and "
            f"{'none' if first is None else 'one'} with two pages: figure 2 shows two pages of a "
            "writer beside those of others"
        )
    others = [own[0] for label, own in pages.items() if label != first]
    return pages[first][:2], others[:OTHERS]


def resembling(counts: Counts, pairs: int) -> list[Pair]:
    """The pairs of classes that are most often taken for each other, no class in two of them.

    >>> resembling(np.array([[8, 2, 0], [4, 6, 0], [1, 0, 9]]), 2)
    [Pair(one=0, other=1, mistaken=30.0)]

    Args:
        counts: (C, C) pages, rows true classes.
        pairs: How many at most.
    """
    pages = counts.sum(axis=1)
    found = [
        Pair(i, j, 100 * float(counts[i, j] + counts[j, i]) / float(pages[i] + pages[j]))
        for i in range(len(counts))
        for j in range(i + 1, len(counts))
        if pages[i] and pages[j]
    ]
    chosen: list[Pair] = []
    for pair in sorted(found, key=lambda pair: -pair.mistaken):
        taken = {index for one in chosen for index in (one.one, one.other)}
        if len(chosen) < pairs and not {pair.one, pair.other} & taken:
            chosen.append(pair)
    return chosen


def read_writers(params: Params) -> list[Group]:
    """The groups of Figure 2."""
    folder = params.data / "acquire"
    negative = params.active.binarize.negative
    alike, different = choose_writers(read_test_pages(folder / "writers.csv"))
    headings = (
        f"two pages of one writer, {alike[0].label}",
        "two other writers" if len(different) > 1 else "another writer",
    )
    captions = (
        [Path(page.file).stem for page in alike],
        [f"writer {page.label}" for page in different],
    )
    letters = iter("abcd")
    return [
        Group(
            heading,
            tuple(f"({next(letters)}) {caption}" for caption in texts),
            tuple(page.file for page in pages),
            tuple(_read(folder / page.file, negative) for page in pages),
        )
        for heading, texts, pages in zip(headings, captions, (alike, different), strict=True)
    ]


def read_scripts(params: Params, task: Task, pages: Mapping[str, Sequence[Page]]) -> list[Group]:
    """The groups of Figure 3, from the pages of each class; classes without one are not shown."""
    found = [read_confusions(params, name) for name in cells_of_table3(params, task)]
    folder = params.data / "acquire"
    negative = params.active.binarize.negative
    letters = iter("abcd")
    groups = []
    counts = np.sum([one.counts for one in found], axis=0)
    shown = [index for index, name in enumerate(found[0].classes) if pages.get(name)]
    classes = [found[0].classes[index] for index in shown]
    for pair in resembling(counts[np.ix_(shown, shown)], PAIRS):
        names = [classes[pair.one], classes[pair.other]]
        groups.append(
            Group(
                f"taken for each other: {pair.mistaken:.0f} % of their pages",
                tuple(f"({next(letters)}) {name}" for name in names),
                tuple(pages[name][0].file for name in names),
                tuple(_read(folder / pages[name][0].file, negative) for name in names),
            )
        )
    return groups


def _read(file: Path, negative: str) -> Gray:
    return shrink(turn_positive(read_gray(file), negative)[0], WIDTH, levels=LEVELS)


@mpl.rc_context(STYLE)
def draw(groups: Sequence[Group], title: str) -> Figure:
    """A row of pages of one height, in groups."""
    shapes = [[page.shape[1] / page.shape[0] for page in group.pages] for group in groups]
    width = 7.4
    height = 0.6 + width / sum(map(sum, shapes))
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(textwrap.fill(title, 100), fontsize=9)
    ratios_of_groups = [sum(shape) for shape in shapes]
    parts = figure.subfigures(1, len(groups), squeeze=False, width_ratios=ratios_of_groups)[0]
    for part, group, ratios in zip(parts, groups, shapes, strict=True):
        part.suptitle(group.heading, fontsize=8)
        grid = part.subplots(1, len(ratios), width_ratios=ratios, squeeze=False)[0]
        for axes, caption, page in zip(grid, group.captions, group.pages, strict=True):
            show(axes, page)
            axes.set_xlabel(caption, fontsize=8)
    return figure

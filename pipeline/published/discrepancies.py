"""Where published data sets differ from their page lists, and where they overlap each other."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.published.page_lists import Listed, read_official
from pipeline.published.sources import DataSet


class Difference(NamedTuple):
    """A row of differences.csv: what is wrong with a file, and what was done."""

    set: str
    file: str
    problem: str
    action: str


class Overlap(NamedTuple):
    """A row of overlap.csv: a page that two data sets share, and the split of each."""

    file: str
    first: str
    second: str


def drop_doubled(
    lists: Mapping[str, Sequence[Listed]], data: DataSet
) -> tuple[dict[str, list[Listed]], list[Difference]]:
    """Leave pages that are in several splits out of train, so that the others stay clean.

    Args:
        lists: The page list of each split.
        data: The data set.

    Raises:
        ValueError: val and test share a page.
    """
    held_out = {page.key for split, pages in lists.items() if split != "train" for page in pages}
    if len(held_out) < sum(len(pages) for split, pages in lists.items() if split != "train"):
        raise ValueError(f"{data.name}: the lists of val and test name the same pages")
    kept: dict[str, list[Listed]] = {}
    found = []
    for split, pages in lists.items():
        doubled = [page for page in pages if split == "train" and page.key in held_out]
        kept[split] = [page for page in pages if page not in doubled]
        for page in doubled:
            problem = "in the list of train and in another"
            action = "left out of train, since scores are to be of unseen pages"
            found.append(Difference(data.name, page.name, problem, action))
    return kept, found


def against_official(
    text: bytes, official: str, listed: Sequence[Listed], present: Mapping[str, str], data: DataSet
) -> list[Difference]:
    """Where the csv of the organizers differs from the archive and from the authors' page lists.

    Args:
        text: The csv.
        official: Its name.
        listed: All pages that the lists take from the archive.
        present: File names in the archive, by key.
        data: The data set.
    """
    try:
        rows = read_official(text, data)
    except ValueError as error:
        return [Difference(data.name, official, f"unreadable: {error}", "not compared")]
    found = []

    def add(file: str, problem: str) -> None:
        found.append(Difference(data.name, file, problem, "the page list is followed"))

    for key, (name, _) in rows.items():
        if key not in present:
            add(name, f"named in {official}, not in the archive")
    unknown = 0
    for page in listed:
        label = rows[page.key][1] if page.key in rows else None
        if page.key not in rows:
            add(page.name, f"not named in {official}")
        elif label is None:
            unknown += 1
        elif label != page.label:
            add(page.name, f"{label} in {official}, {page.label} in the page list")
    if unknown:
        add(official, f"classes of {unknown} rows are none of the set's")
    return found


def overlaps(
    first: tuple[DataSet, Mapping[str, Sequence[Listed]]],
    second: tuple[DataSet, Mapping[str, Sequence[Listed]]],
) -> list[Overlap]:
    """Pages that the lists of two data sets share, once for each pair of splits."""
    splits: dict[str, list[str]] = {}
    for split, pages in first[1].items():
        for page in pages:
            splits.setdefault(page.key, []).append(f"{first[0].name} {split}")
    return [
        Overlap(page.name, mine, f"{second[0].name} {split}")
        for split, pages in second[1].items()
        for page in pages
        for mine in splits.get(page.key, ())
    ]


def write_rows(file: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a csv."""
    with open(file, "w", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)


def write_counts(
    file: Path, listed: Counter[tuple[str, str, str]], taken: Counter[tuple[str, str, str]]
) -> None:
    """Write how many pages of each (set, split, label) are listed, and how many were taken."""
    rows = [(*key, count, taken[key]) for key, count in sorted(listed.items())]
    write_rows(file, ("set", "split", "label", "listed", "taken"), rows)

"""Lists of pages: file, label, split and group."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

SPLITS = ("train", "val", "test")


class Page(NamedTuple):
    """A row of a page list; `file` is relative to the folder of the list.

    `group` is what pages of one source share, e.g. a manuscript; empty: the page is alone.
    """

    file: str
    label: str
    split: str
    group: str = ""


def read_pages(list_file: Path) -> list[Page]:
    """Read a page list written by `write_pages`.

    Raises:
        ValueError: the list is missing, or was written without one of the columns.
    """
    if not list_file.is_file():
        raise ValueError(f"{list_file} is missing: run the stage {list_file.parent.name}")
    with open(list_file, encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines)
        missing = [name for name in Page._fields if name not in (rows.fieldnames or ())]
        if missing:
            raise ValueError(
                f"{list_file} has no column {', '.join(missing)}: run `dvc repro "
                f"{list_file.parent.name}`"
            )
        return [Page(*(row[name] for name in Page._fields)) for row in rows]


def write_pages(list_file: Path, pages: Iterable[Page]) -> None:
    """Write a page list as csv with the columns file, label, split, group."""
    with open(list_file, "w", encoding="utf-8", newline="") as lines:
        rows = csv.writer(lines, lineterminator="\n")
        rows.writerow(Page._fields)
        rows.writerows(pages)

"""Page lists of the published data sets, `<name> <label>` a line, and the csv of the organizers."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from pipeline.published.sources import DataSet, Part

WRITER_PAGE = re.compile(r"(\d+)-(?:\d+-)?IMG_MAX[_-]?(\d+)(?:\.(?:png|jpe?g))?", re.IGNORECASE)


class Listed(NamedTuple):
    """A page of a list; `key` is the same for all spellings of its name."""

    name: str
    key: str
    label: str


def key_of(name: str, data: DataSet) -> str | None:
    """What is the same in all spellings of a page's name; None if it names no page.

    Writer pages go by writer and number, whatever the image format, class pages by the name
    without regard to case.
    """
    if data.classes is None:
        match = WRITER_PAGE.fullmatch(name)
        return f"{int(match[1])}-{int(match[2])}" if match else None
    return name.lower() if name.lower().endswith((".tif", ".tiff")) else None


def read_list(file: Path, part: Part, data: DataSet) -> list[Listed]:
    """Read the page list of a split.

    Raises:
        ValueError: a line is malformed, a page is named twice, or the counts of labels and pages
            are not those of data/sources.yaml; the message names the line or the label.
    """
    pages: list[Listed] = []
    seen: set[str] = set()
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        name, _, label = line.strip().rpartition(" ")
        key = key_of(name, data)
        readable = _label(label, data)
        if key is None or readable is None:
            raise ValueError(f"{file}, line {number}: {line!r} is no page with a label of the set")
        if data.classes is None and key.split("-")[0] != readable:
            raise ValueError(f"{file}, line {number}: {name} is not a page of writer {readable}")
        if key in seen:
            raise ValueError(f"{file}, line {number}: {name} is named twice")
        seen.add(key)
        pages.append(Listed(name, key, readable))
    _check_counts(file, Counter(page.label for page in pages), part, data)
    return pages


def read_official(text: bytes, data: DataSet) -> dict[str, tuple[str, str | None]]:
    """The csv of the organizers: page name and class (None if unknown), by key.

    2016: FILENAME;<class name>. 2017: [TASK;]FILENAME;<class number>;<date>.

    Raises:
        ValueError: it has no column FILENAME.
    """
    content = text.decode("utf-8-sig", errors="replace")
    rows = [row for row in csv.reader(content.splitlines(), delimiter=";") if row]
    header = [cell.strip().upper() for cell in rows[0]] if rows else []
    if "FILENAME" not in header:
        raise ValueError("it has no column FILENAME")
    column = header.index("FILENAME")
    found: dict[str, tuple[str, str | None]] = {}
    for row in rows[1:]:
        name, label = (row[column + i].strip() if column + i < len(row) else "" for i in (0, 1))
        found[key_of(name, data) or name] = name, _label(label, data)
    return found


def _label(text: str, data: DataSet) -> str | None:
    if data.classes is None:
        return str(int(text)) if text.isdecimal() else None
    if text.isdecimal():
        number = int(text) - data.first_class
        return data.classes[number] if 0 <= number < len(data.classes) else None
    names = {_plain(name): name for name in data.classes}
    return names.get(_plain(text))


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name).strip().casefold()


def _check_counts(file: Path, found: Counter[str], part: Part, data: DataSet) -> None:
    if len(found) != part.labels:
        raise ValueError(f"{file}: {part.labels} labels wanted, found {len(found)}: get it anew")
    for i, label in enumerate(data.classes or sorted(found)):
        each = part.pages_per_label
        wanted = each if isinstance(each, int) else each[i]
        if label in found and found[label] != wanted:
            raise ValueError(f"{file}: {wanted} pages of {label} wanted, found {found[label]}")

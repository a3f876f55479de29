"""Lists of labels as spreadsheets save them: encodings, separators, and names of files."""

import csv
import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from io import StringIO
from pathlib import Path, PureWindowsPath

from dgmp.images.reading import split_number

SEPARATORS = (",", ";", "\t")
UTF16 = (b"\xff\xfe", b"\xfe\xff")
SEPARATOR_LINE = re.compile('"?sep=.?"?')

# How a list may spell a name: as it is, with other accents (composed or not), in another case.
SPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    lambda name: unicodedata.normalize("NFC", name),
    lambda name: unicodedata.normalize("NFC", name).casefold(),
)


def read_table(
    csv_file: Path, columns: Sequence[str], optional: str | None = None
) -> list[tuple[int, dict[str, str]]]:
    """Read the lines of a csv that are not empty, with their numbers.

    It is in UTF-8, or in UTF-16 with its mark, as spreadsheets save "Unicode text". Whichever of
    comma, semicolon and tab gives the wanted columns separates them. The case of their names and
    blanks around cells do not matter. Accents are composed (NFC), but not in the column `file`.

    Args:
        csv_file: the csv.
        columns: columns that it must have.
        optional: a column that it may have.

    Raises:
        ValueError: it is no csv, lacks a column, has one twice, or has no rows.
    """
    text = _decode(csv_file)
    try:
        # Where no separator gives all columns, the message tells of the one that gives most.
        lines = max(
            (list(_lines(text, separator)) for separator in SEPARATORS),
            key=lambda lines: len(set(_head(lines)) & {_plain(name) for name in columns}),
        )
    except csv.Error as error:
        raise ValueError(f"{csv_file} is not a csv ({error}): save it as one") from None
    head = _head(lines)
    if missing := [name for name in columns if _plain(name) not in head]:
        raise ValueError(
            f"{csv_file}: no column {', '.join(missing)}; it has {', '.join(head) or 'none'}, "
            f"wanted: {','.join(columns)} (or with ; or tabs between them)"
        )
    kept = [*columns, optional] if optional and _plain(optional) in head else list(columns)
    if twice := [name for name in kept if head.count(_plain(name)) > 1]:
        raise ValueError(f"{csv_file}: two columns are named {twice[0]}: rename one")
    places = {name: head.index(_plain(name)) for name in kept}
    rows = [
        (number, {name: _cell(cells, place, name) for name, place in places.items()})
        for number, cells in lines[1:]
    ]
    if not rows:
        raise ValueError(f"{csv_file} has no rows: add one for each page: {','.join(columns)}")
    return rows


class PageFinder:
    """The names that pages have on disk, below a folder, by the names that lists give them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names = cache(_names)

    def find(self, file: str) -> list[str]:
        """Find the files below the folder that `file` names.

        The name as it is comes first, then the same with accents composed or decomposed, then in
        another case. `scan.tif#2`, the second page of a TIFF, is found where `scan.tif` is.

        Returns:
            Their paths relative to the folder; none if there is no such file, several if it could
            be either of them.
        """
        if found := self._find(Path(file).parts):
            return found
        whole, number = split_number(self.folder / file)
        if number is None:
            return []
        parts = whole.relative_to(self.folder).parts
        return [f"{name}#{number}" for name in self._find(parts)]

    def _find(self, parts: Sequence[str]) -> list[str]:
        places = [Path()]
        for part in parts:
            places = [place / name for place in places for name in self._alike(part, place)]
        return [place.as_posix() for place in places if (self.folder / place).is_file()]

    def _alike(self, part: str, place: Path) -> list[str]:
        tables = zip(SPELLINGS, self._names(self.folder / place), strict=True)
        return next((found for spelled, table in tables if (found := table.get(spelled(part)))), [])


def page_path(name: str, base: Path) -> str:
    """The cell `file` of a row with slashes, which Windows writes backwards.

    >>> page_path(r"images\\a.png", Path("absent"))
    'images/a.png'
    """
    if "\\" not in name or (base / name).is_file():
        return name
    return PureWindowsPath(name).as_posix()


def _decode(csv_file: Path) -> str:
    data = csv_file.read_bytes()
    remedy = "save it as “CSV UTF-8” from the spreadsheet"
    try:
        text = data.decode("utf-16" if data.startswith(UTF16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{csv_file} is not a csv in UTF-8 ({error}): {remedy}") from None
    if "\0" in text:
        raise ValueError(f"{csv_file} is not a csv in UTF-8 (it has bytes of value 0): {remedy}")
    return text


def _lines(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    first, _, rest = text.partition("\n")
    # Excel tells the separator in a first line of its own.
    skipped = int(SEPARATOR_LINE.fullmatch(first.strip()) is not None)
    reader = csv.reader(StringIO(rest if skipped else text, newline=""), delimiter=separator)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield reader.line_num + skipped, cells


def _head(lines: Sequence[tuple[int, list[str]]]) -> list[str]:
    return [_plain(cell) for cell in lines[0][1]] if lines else []


def _plain(name: str) -> str:
    return SPELLINGS[-1](name.strip())


def _cell(cells: Sequence[str], place: int, column: str) -> str:
    cell = cells[place].strip() if place < len(cells) else ""
    return cell if column == "file" else unicodedata.normalize("NFC", cell)


def _names(folder: Path) -> list[dict[str, list[str]]]:
    """The names in a folder, for each of `SPELLINGS` by what they are in it."""
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    tables: list[dict[str, list[str]]] = [{} for _ in SPELLINGS]
    for spelling, table in zip(SPELLINGS, tables, strict=True):
        for name in names:
            table.setdefault(spelling(name), []).append(name)
    return tables

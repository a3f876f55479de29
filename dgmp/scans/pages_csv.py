"""Which pages a person names in a pages.csv, and what they know of them."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable
from io import StringIO
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

from dgmp.images.reading import split_number
from dgmp.scans.folder import relative
from dgmp.scans.names import in_short, one_line

NAME = "pages.csv"
COLUMNS = ("file", "codex", "hand", "order", "note")


class Row(NamedTuple):
    """A row: a file, one of its pages or all (None), and what is known of it."""

    line: int
    file: Path
    page: int | None
    codex: str
    hand: str
    order: str
    note: str


def read_pages_csv(csv_file: Path, files: Iterable[Path]) -> list[Row]:
    """Read a pages.csv, in UTF-8, with commas or semicolons.

    Args:
        csv_file: The csv; its rows name files as seen from its folder.
        files: What is there. A row that differs from one of them in the form of accents means it.

    Raises:
        ValueError: it is no such csv, names a page twice, or names files that are missing.
    """
    known = {_composed(relative(file, csv_file.parent)): file for file in files}
    rows: list[Row] = []
    missing: list[tuple[int, str]] = []
    first: dict[tuple[Path, int | None], int] = {}
    for line, cells in _table(csv_file):
        name = cells.pop("file")
        if not name:
            raise ValueError(
                f"{csv_file} line {line}: no file is named: name one, or delete the line"
            )
        file, number = _find(name, csv_file.parent, known)
        if not file.is_file():
            missing.append((line, name))
            continue
        if (file, number) in first:
            raise ValueError(
                f"{csv_file} line {line}: {one_line(name)} is named in line {first[file, number]} "
                "already: delete one"
            )
        first[file, number] = line
        rows.append(Row(line, file, number, **cells))
    if missing:
        line, name = missing[0]
        more = f" (and {len(missing) - 1} other files)" if len(missing) > 1 else ""
        raise ValueError(
            f"{csv_file} line {line}: {one_line(name)} is missing{more}: put it there, correct its "
            "name, or delete the line"
        )
    if both := [row for row in rows if row.page and (row.file, None) in first]:
        raise ValueError(
            f"{csv_file} line {both[0].line}: all pages of {both[0].file.name} are named in line "
            f"{first[both[0].file, None]} already: delete one"
        )
    return rows


def _find(name: str, base: Path, known: dict[str, Path]) -> tuple[Path, int | None]:
    for spelled in (name, PureWindowsPath(name).as_posix()):
        path, number = split_number(base / spelled)
        path = known.get(_composed(relative(path, base)), path)
        if path.is_file():
            return path, number
    return base / name, None


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _table(csv_file: Path) -> list[tuple[int, dict[str, str]]]:
    """Number and cells of each line that is not empty; all columns are there."""
    try:
        text = csv_file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(
            f"{csv_file} is not in UTF-8: save it as “CSV UTF-8” from the spreadsheet"
        ) from None
    head = text.partition("\n")[0]
    separator = ";" if head.count(";") > head.count(",") else ","
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise ValueError(f"{csv_file} line {reader.line_num}: no csv ({error})") from None
    lines = [(number, cells) for number, cells in lines if any(cells)]
    wanted = f"wanted: {','.join(COLUMNS)}, all but file optional"
    names = [cell.casefold() for cell in lines[0][1]] if lines else []
    while names and not names[-1]:
        names.pop()
    if unknown := [name for name in names if name not in COLUMNS]:
        told = in_short([one_line(name) or "(without a name)" for name in unknown])
        raise ValueError(f"{csv_file} line {lines[0][0]}: unknown column {told}; {wanted}")
    if "file" not in names:
        raise ValueError(f"{csv_file} line 1: no column file; {wanted}")
    if len(set(names)) < len(names):
        raise ValueError(f"{csv_file} line {lines[0][0]}: a column is there twice; {wanted}")
    if len(lines) == 1:
        raise ValueError(f"{csv_file} has no rows: add one for each page, or delete it")
    table = []
    for number, cells in lines[1:]:
        if any(cells[len(names) :]):
            raise ValueError(
                f"{csv_file} line {number}: more cells than columns: quote cells that hold "
                f"a {separator}"
            )
        filled = dict(zip(names, cells, strict=False))
        table.append((number, {name: filled.get(name, "") for name in COLUMNS}))
    return table

"""Results as text, written in one step."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dgmp.files import whole_file


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    """Rows as CSV, with Unix line ends on every system."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def write_text(file: Path, text: str) -> None:
    """Write a file in one step, so that no half-written table is ever read."""
    with whole_file(file) as part:
        part.write_text(text, encoding="utf-8", newline="\n")

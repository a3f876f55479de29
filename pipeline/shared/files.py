"""Results as text, written in one step."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from dgmp.files import whole_file


def write_csv(file: Path, rows: pd.DataFrame, decimals: int = 6) -> None:
    """Write rows as CSV with Unix line ends on every system, empty where there is no value."""
    write_text(file, rows.to_csv(index=False, float_format=f"%.{decimals}f", lineterminator="\n"))


def write_text(file: Path, text: str) -> None:
    """Write a file in one step, so that no half-written table is ever read."""
    with whole_file(file) as part:
        part.write_text(text, encoding="utf-8", newline="\n")

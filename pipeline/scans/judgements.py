"""Pairs of pages that a person took for the same hand's, or for two hands'."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dgmp.scans.scan import Scan

COLUMNS = ("page", "other", "judgement")
ANSWERS = {"same": True, "different": False}


def read_judgements(file: Path, scans: Sequence[Scan]) -> dict[tuple[int, int], bool]:
    """Read a csv with the columns page, other (names of scans) and judgement (same or different).

    Pairs of which a page is not among the scans are left out: they may belong to another search.

    Raises:
        ValueError: the file cannot be read, lacks a column, or has a wrong judgement or two that
            contradict each other; the message names file and line.
    """
    try:
        rows = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} cannot be read as a csv: {error}") from None
    missing = [name for name in COLUMNS if name not in rows]
    if missing:
        raise ValueError(
            f"{file} must have the columns {', '.join(COLUMNS)}, lacks {', '.join(missing)}"
        )
    row_of = {scan.name: row for row, scan in enumerate(scans)}
    judged: dict[tuple[int, int], bool] = {}
    for line, (page, other, judgement) in enumerate(rows[list(COLUMNS)].to_numpy(), start=2):
        answer = ANSWERS.get(judgement.strip().lower())
        if answer is None:
            raise ValueError(f"{file}, line {line}: judgement is same or different, got "
                             f"{judgement!r}")  # fmt: skip
        if page not in row_of or other not in row_of or page == other:
            continue
        one, two = sorted((row_of[page], row_of[other]))
        if judged.setdefault((one, two), answer) != answer:
            raise ValueError(f"{file}, line {line}: {page} and {other} are judged both ways")
    return judged

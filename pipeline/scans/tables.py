"""The findings as tables for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dgmp.files import whole_file
from dgmp.scans.scan import Scan
from dgmp.search.findings import Findings

HITS = ("page", "codex", "rank", "hit", "codex of hit", "score", "place", "grade", "scope")


def write_tables(folder: Path, scans: Sequence[Scan], findings: Findings) -> None:
    """Write hits.csv, groups.csv and distances.npz.

    `hits.csv` has a row for each hit; `scope` is "other" for the nearest pages of other codices and
    "all" for the nearest of all. `groups.csv` gives each page its suggested hand, from 1; empty
    where it fits nowhere. `distances.npz` holds `names` and `distances`, float32 (n, n), 1 - score,
    0 on the diagonal. Names are as people gave them: a spreadsheet may take one that begins with
    "=" for a formula.
    """
    lists = (("other", findings.hits), ("all", findings.hits_everywhere))
    rows = [
        (
            scans[row].name,
            scans[row].codex,
            rank,
            scans[hit.page].name,
            scans[hit.page].codex,
            round(hit.score, 6),
            round(hit.place, 6),
            hit.grade,
            scope,
        )
        for scope, of_rows in lists
        for row, hits in enumerate(of_rows)
        for rank, hit in enumerate(hits, 1)
    ]
    _write_csv(folder / "hits.csv", pd.DataFrame(rows, columns=HITS))
    groups = pd.DataFrame(
        {
            "page": [scan.name for scan in scans],
            "codex": [scan.codex for scan in scans],
            "hand known": [scan.hand for scan in scans],
            "group": [str(group + 1) if group >= 0 else "" for group in findings.groups.tolist()],
        }
    )
    _write_csv(folder / "groups.csv", groups)
    distances = (1 - findings.scores).astype(np.float32)
    np.fill_diagonal(distances, 0)
    names = np.array([readable(scan.name) for scan in scans], dtype=np.str_)
    with whole_file(folder / "distances.npz") as part:
        np.savez(part, names=names, distances=distances)


def readable(text: str) -> str:
    """The text with bytes that are no characters, as in old file names, written out.

    >>> readable("fol\\udce9.png")
    'fol\\\\udce9.png'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _write_csv(file: Path, table: pd.DataFrame) -> None:
    with whole_file(file) as part:
        table.to_csv(part, index=False, errors="backslashreplace")

"""The report of a search: a folder that opens in a browser, from the disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dgmp.files import whole_file, whole_folder
from dgmp.scans.scan import Refused, Scan
from dgmp.search.findings import Findings
from pipeline.scans import content
from pipeline.scans.matrix import matrix_picture, shade_range
from pipeline.scans.page import render, script_json
from pipeline.scans.tree import fold


def write_report(
    folder: Path,
    *,
    title: str,
    scans: Sequence[Scan],
    shapes: Sequence[tuple[int, int]],
    too_little: Sequence[Scan],
    refused: Sequence[Refused],
    findings: Findings,
    about: Mapping[str, str],
) -> None:
    """Write index.html with the folders codices and evidence beside it.

    The pictures of pages and letters are not written: see `pipeline.scans.picture_names` for those
    that the page shows.

    Args:
        folder: Where it goes; the pictures too.
        title: Of the report.
        scans: The n pages with writing, in the order of the rows of `findings`.
        shapes: Height and width of each of them in pixels, at the size at which it was described.
        too_little: Pages with too little writing.
        refused: What could not be read.
        findings: About the n pages.
        about: What was done, by its headings: method, time, versions.

    Raises:
        ValueError: the numbers of scans, shapes and pages of the findings differ.
    """
    counts = {len(scans), len(shapes), len(findings.scores)}
    if len(counts) > 1:
        raise ValueError(
            f"{len(scans)} scans, {len(shapes)} shapes and findings about {len(findings.scores)} "
            "pages: give one scan and one shape for each row of the findings"
        )
    several = len(content.known_codices(scans)) > 1
    leaves, joints = fold(findings.linkage, findings.groups.tolist()) if len(scans) else ([], [])
    likely, between = content.likely_pairs(scans, findings)
    shown = {
        "title": title,
        "scans": scans,
        "shapes": shapes,
        "too_little": too_little,
        "refused": refused,
        "findings": findings,
        "about": about,
        "codices": content.known_codices(scans),
        "several": several,
        "basis": content.basis(scans),
        "likely": likely,
        "between": between,
        "first": content.first_pairs(
            scans,
            findings.hits if several else findings.hits_everywhere,
            findings.evidence,
        ),
        "hands": content.suggested_hands(scans, findings),
        "alone": np.flatnonzero(findings.groups < 0).tolist(),
        "leaves": [
            {"rows": leaf.rows, "groups": leaf.groups, "codices": _codices(scans, leaf.rows)}
            for leaf in leaves
        ],
        "joints": joints,
        "changes": [content.changes(codex) for codex in findings.codices],
        "lines": [content.novelty_line(codex) for codex in findings.codices],
    }
    _write_matrices(folder / "codices", findings)
    _write_evidence(folder / "evidence", findings, shapes)
    page = render("report.html", shown, content.script_data(scans, shapes, findings))
    with whole_file(folder / "index.html") as part:
        part.write_text(page, encoding="utf-8")


def _codices(scans: Sequence[Scan], rows: Sequence[int]) -> list[str]:
    return content.known_codices([scans[row] for row in sorted(rows)])


def _write_matrices(folder: Path, findings: Findings) -> None:
    shades = shade_range(findings.scores)
    with whole_folder(folder) as part:
        for place, codex in enumerate(findings.codices):
            scores = findings.scores[np.ix_(codex.pages, codex.pages)]
            if len(scores):
                (part / f"{place:05d}.webp").write_bytes(matrix_picture(scores, shades))


def _write_evidence(folder: Path, findings: Findings, shapes: Sequence[tuple[int, int]]) -> None:
    """Scripts, because a page from the disk may load a script beside it, but read no file."""
    by_row: dict[int, dict] = {}
    for key, one in findings.evidence.items():
        by_row.setdefault(key[0], {})[key] = one
    with whole_folder(folder) as part:
        for row, evidence in by_row.items():
            data = script_json(content.evidence_data(row, evidence, shapes))
            (part / f"{row:05d}.js").write_text(f"evidenceOf({row},{data})\n", encoding="utf-8")

"""The evidence and the pictures of a report, made side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import joblib
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from dgmp.encoding import VLAD
from dgmp.search.assembly import evidence_of
from dgmp.search.described import DescribedScan
from dgmp.search.evidence import contributions
from dgmp.search.findings import Evidence, Hit
from dgmp.search.quality import Pair
from pipeline.scans import picture_names, pictures
from pipeline.scans.side_by_side import side_by_side

FOLDERS = ("thumbs", "pages", "maps", "pairs")

# Pages of a job. They are neighbours in their suggested hand, so that most of their hits are among
# them, and few pages are taken apart and decoded by two jobs.
AT_ONCE = 16


def write_pictures(
    folder: Path,
    pages: Sequence[DescribedScan],
    too_little: Sequence[DescribedScan],
    hits: Sequence[Sequence[Hit]],
    groups: NDArray[np.intp],
    vlad: VLAD,
    *,
    workers: int,
) -> dict[Pair, Evidence]:
    """Find evidence, and write the pictures of a report, see `pipeline.scans.picture_names`.

    Args:
        folder: Of the report.
        pages: With writing, in the order of their rows.
        too_little: Pages with too little writing.
        hits: By row, those of which evidence is shown.
        groups: Of `Findings`.
        vlad: Whose weights the maps show.
        workers: Processes.

    Returns:
        The evidence, see `evidence_of`.

    Raises:
        OSError: a process was killed.
    """
    for name in FOLDERS:
        (folder / name).mkdir()
    for place, page in enumerate(too_little):
        (folder / picture_names.set_aside(place)).write_bytes(pictures.thumbnail(page.page))
    planned = jobs_of(hits, groups)
    jobs = (
        joblib.delayed(_draw)(
            folder, rows, pairs, {row: pages[row] for row in {*rows, *sum(pairs, ())}}, vlad
        )
        for rows, pairs in planned
    )
    evidence: dict[Pair, Evidence] = {}
    with tqdm(total=len(pages), desc="draw", unit=" pages", disable=None) as bar:
        for (rows, _), found in zip(planned, side_by_side(jobs, workers, "draw"), strict=True):
            evidence |= found
            bar.update(len(rows))
    return evidence


def jobs_of(
    hits: Sequence[Sequence[Hit]], groups: NDArray[np.intp]
) -> list[tuple[list[int], list[Pair]]]:
    """Rows to draw together, and pairs of them with their hits; no pair in both directions."""
    order = np.argsort(groups, kind="stable").tolist()
    asked: set[Pair] = set()
    jobs = []
    for start in range(0, len(order), AT_ONCE):
        rows, pairs = order[start : start + AT_ONCE], list[Pair]()
        for pair in ((row, hit.page) for row in rows for hit in hits[row]):
            if pair[::-1] not in asked:
                asked.add(pair)
                pairs.append(pair)
        jobs.append((rows, pairs))
    return jobs


def _draw(
    folder: Path,
    rows: Sequence[int],
    pairs: Sequence[Pair],
    pages: Mapping[int, DescribedScan],
    vlad: VLAD,
) -> dict[Pair, Evidence]:
    """Draw the rows, and find and draw the evidence of the pairs; each page is decoded once."""
    cv2.setNumThreads(1)
    grey = {row: page.page for row, page in pages.items()}
    parts = {row: contributions(vlad, page.local) for row, page in pages.items()}
    for row in rows:
        weights = pictures.weight_map(
            parts[row].positions, parts[row].weights.mean(axis=0), pages[row].shape
        )
        (folder / picture_names.thumb(row)).write_bytes(pictures.thumbnail(grey[row]))
        (folder / picture_names.preview(row)).write_bytes(pictures.preview(grey[row]))
        (folder / picture_names.weights(row)).write_bytes(weights)
    found = evidence_of(pairs, parts)
    for (row, hit), one in found.items():
        letters = pictures.letter_pairs(one, grey[row], grey[hit])
        (folder / picture_names.pairs(row, hit)).write_bytes(letters)
    return found

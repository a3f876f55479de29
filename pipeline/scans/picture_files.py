"""The pictures of a report, drawn side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import joblib
from tqdm import tqdm

from dgmp.encoding import VLAD
from dgmp.search.described import DescribedScan
from dgmp.search.findings import Evidence
from pipeline.scans import picture_names, pictures

FOLDERS = ("thumbs", "pages", "maps", "pairs")


def write_pictures(
    folder: Path,
    pages: Sequence[DescribedScan],
    too_little: Sequence[DescribedScan],
    evidence: Mapping[tuple[int, int], Evidence],
    vlad: VLAD,
    *,
    threads: int,
) -> None:
    """Write the pictures that the report shows, see `pipeline.scans.picture_names`.

    Args:
        folder: Of the report.
        pages: With writing, in the order of their rows.
        too_little: Pages with too little writing.
        evidence: Of `Findings`.
        vlad: Whose weights the maps show.
        threads: Pages that are drawn at a time.
    """
    for name in FOLDERS:
        (folder / name).mkdir()
    for place, page in enumerate(too_little):
        (folder / picture_names.set_aside(place)).write_bytes(pictures.thumbnail(page.page))
    named = {row for pair in evidence for row in pair}
    of_row: dict[int, dict[int, Evidence]] = {}
    for (row, hit), one in evidence.items():
        of_row.setdefault(row, {})[hit] = one
    jobs = (
        joblib.delayed(_draw)(
            folder, row, pages, of_row.get(row, {}), vlad if row in named else None
        )
        for row in range(len(pages))
    )
    # Threads, because OpenCV and Pillow let others run while they draw.
    done = joblib.Parallel(threads, prefer="threads", return_as="generator_unordered")(jobs)
    for _ in tqdm(done, total=len(pages), desc="draw", unit=" pages", disable=None):
        pass


def weights_of(page: DescribedScan, vlad: VLAD) -> bytes:
    """Map of what the places of a page weigh in its vector."""
    weights = vlad.weights(page.local.vectors).weights.mean(axis=0)
    return pictures.weight_map(page.local.positions, weights, page.shape)


def _draw(
    folder: Path,
    row: int,
    pages: Sequence[DescribedScan],
    evidence: Mapping[int, Evidence],
    vlad: VLAD | None,
) -> None:
    """Everything of one page, so that it is decoded once."""
    page = pages[row].page
    (folder / picture_names.thumb(row)).write_bytes(pictures.thumbnail(page))
    (folder / picture_names.preview(row)).write_bytes(pictures.preview(page))
    if vlad is not None:
        (folder / picture_names.weights(row)).write_bytes(weights_of(pages[row], vlad))
    for hit, one in evidence.items():
        letters = pictures.letter_pairs(one, page, pages[hit].page)
        (folder / picture_names.pairs(row, hit)).write_bytes(letters)

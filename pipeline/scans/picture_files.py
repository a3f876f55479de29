"""The pictures of a report, drawn side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import joblib
from tqdm import tqdm

from dgmp.encoding import VLAD
from dgmp.encoding.local_descriptors import DescribedPage
from dgmp.search.described import DescribedScan
from dgmp.search.findings import Evidence
from pipeline.scans import picture_names, pictures

Drawing = tuple[str, Callable[[], bytes]]


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
        threads: Pictures that are drawn at a time.
    """
    drawings: list[Drawing] = []
    for row, page in enumerate(pages):
        drawings.append((picture_names.thumb(row), partial(_thumbnail, page)))
        drawings.append((picture_names.preview(row), partial(_preview, page)))
    for place, page in enumerate(too_little):
        drawings.append((picture_names.set_aside(place), partial(_thumbnail, page)))
    for row in sorted({row for pair in evidence for row in pair}):
        drawings.append((picture_names.weights(row), partial(weights_of, pages[row], vlad)))
    for (row, hit), one in evidence.items():
        letters = partial(_letters, one, pages[row], pages[hit])
        drawings.append((picture_names.pairs(row, hit), letters))
    for name in {Path(name).parent for name, _ in drawings}:
        (folder / name).mkdir(parents=True, exist_ok=True)
    jobs = (joblib.delayed(_write)(folder / name, draw) for name, draw in drawings)
    # Threads, because OpenCV and Pillow let others run while they draw.
    done = joblib.Parallel(threads, prefer="threads", return_as="generator_unordered")(jobs)
    for _ in tqdm(done, total=len(drawings), desc="draw", unit=" pictures", disable=None):
        pass


def weights_of(page: DescribedScan, vlad: VLAD) -> bytes:
    """Map of what the places of a page weigh in its vector."""
    local: DescribedPage = page.local
    weights = vlad.weights(local.vectors).weights.mean(axis=0)
    return pictures.weight_map(local.positions, weights, page.shape)


def _write(file: Path, draw: Callable[[], bytes]) -> None:
    file.write_bytes(draw())


def _thumbnail(page: DescribedScan) -> bytes:
    return pictures.thumbnail(page.page)


def _preview(page: DescribedScan) -> bytes:
    return pictures.preview(page.page)


def _letters(evidence: Evidence, page: DescribedScan, hit: DescribedScan) -> bytes:
    return pictures.letter_pairs(evidence, page.page, hit.page)

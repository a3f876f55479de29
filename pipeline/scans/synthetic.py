"""Three synthetic codices of several hands, to see a search before there are scans."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from dgmp.files import whole_folder
from dgmp.scribes import SCRIPT_TYPES, Variation, draw_scribe, write_page
from pipeline.shared.parallel import in_parallel

SEED = 11
HEIGHT, WIDTH, PITCH = 480, 416, 32.0
VARIATION = Variation(scribe=1, letter=0.65, script=1, wear=1)

# Hands of each codex, in the order in which they write, and pages that each writes: hands of one
# codex alone write four pages, those of two codices two in each.
CODICES = {
    "Codex A": ((0, 2), (4, 4), (1, 2), (5, 4), (8, 2), (6, 4), (2, 2), (9, 2), (7, 4), (10, 2),
                (3, 2), (11, 2)),
    "Codex B": ((12, 4), (8, 2), (16, 2), (13, 4), (9, 2), (17, 2), (14, 4), (10, 2), (18, 2),
                (15, 4), (11, 2), (19, 2)),
    "Codex C": ((16, 2), (20, 4), (0, 2), (17, 2), (21, 4), (1, 2), (18, 2), (22, 4), (2, 2),
                (19, 2), (23, 4), (3, 2)),
}  # fmt: skip


class _Page(NamedTuple):
    file: Path
    hand: int
    number: int


def write_codices(folder: Path, *, workers: int) -> None:
    """Write 96 pages by 24 hands and their pages.csv, unless the folder is there already."""
    if folder.is_dir():
        return
    with whole_folder(folder) as part:
        rows, jobs = [], list[_Page]()
        for codex, stints in CODICES.items():
            (part / codex).mkdir()
            hands = [hand for hand, pages in stints for _ in range(pages)]
            for place, hand in enumerate(hands):
                leaf = f"{place // 2 + 1}{'rv'[place % 2]}"
                file = f"{codex}/{place + 1:02} f. {leaf}.png"
                rows.append((file, codex, f"hand {hand + 1}", place, f"f. {leaf}"))
                jobs.append(_Page(part / file, hand, len(jobs)))
        for _ in in_parallel(_write, jobs, workers=workers, title="write synthetic codices"):
            pass
        with (part / "pages.csv").open("w", newline="", encoding="utf-8") as lines:
            table = csv.writer(lines)
            table.writerow(("file", "codex", "hand", "order", "note"))
            table.writerows(rows)


def _write(page: _Page) -> None:
    # Each hand and each page draws from a stream of its own.
    script = sorted(SCRIPT_TYPES)[page.hand % len(SCRIPT_TYPES)]
    scribe = draw_scribe(script, np.random.default_rng((SEED, 0, page.hand)), VARIATION)
    rng = np.random.default_rng((SEED, 1, page.number))
    image = write_page(
        scribe, rng, height=HEIGHT, width=WIDTH, line_pitch=PITCH, variation=VARIATION
    )
    if not cv2.imwrite(str(page.file), image):
        raise OSError(f"{page.file} cannot be written: is the disk full?")

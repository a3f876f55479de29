"""Fit the vocabulary of small collections: `python -m pipeline.tools.fit_background`.

Pages of synthetic scribes, two of each of 72 hands of all script types; written to
dgmp/search/background_model/, which is part of the package.
"""

from __future__ import annotations

import numpy as np

from dgmp.encoding import VLAD, save
from dgmp.scribes import SCRIPT_TYPES, Variation, draw_scribe, write_page
from dgmp.search.background import FOLDER
from dgmp.search.described import describe_scan
from dgmp.search.index import new_vlad
from pipeline.shared.parallel import in_parallel
from pipeline.shared.stage import run

SEED = 20
HANDS, PAGES = 72, 2
HEIGHT, WIDTH, PITCH = 640, 560, 36.0
VARIATION = Variation(scribe=1, letter=0.65, script=1, wear=1)


def main() -> None:
    pages = list(in_parallel(_page, range(HANDS * PAGES), workers=2, title="describe scribes"))
    vlad: VLAD = new_vlad().fit(pages)
    save(vlad, FOLDER)


def _page(number: int) -> np.ndarray:
    hand = number // PAGES
    script = sorted(SCRIPT_TYPES)[hand % len(SCRIPT_TYPES)]
    scribe = draw_scribe(script, np.random.default_rng((SEED, 0, hand)), VARIATION)
    rng = np.random.default_rng((SEED, 1, number))
    page = write_page(
        scribe, rng, height=HEIGHT, width=WIDTH, line_pitch=PITCH, variation=VARIATION
    )
    return describe_scan(page).local.vectors


if __name__ == "__main__":
    run(main)

"""Whose hand is this: ask the index of a search about one more page.

    python -m pipeline.tools.who PAGE [INDEX]

PAGE is an image, INDEX the folder of a report of `make search`. Prints the nearest pages and writes
INDEX/asked/<page>.html, one file with pictures and evidence. Nothing is fitted.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import cv2
import numpy as np

from dgmp import __version__
from dgmp.search.evidence import contributions, evidence
from dgmp.search.index import Index
from pipeline.scans import picture_names, pictures
from pipeline.scans.query_page import Look, write_query_page
from pipeline.scans.report_name import name_of
from pipeline.shared.stage import run

log = logging.getLogger(__name__)

EVIDENCE = 5
"""Hits that evidence is shown for."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="make who", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("page", type=Path, metavar="PAGE")
    parser.add_argument("index", type=Path, metavar="INDEX")
    arguments = parser.parse_args()
    ask(arguments.page, arguments.index)


def ask(page: Path, report: Path) -> Path:
    """Print the nearest pages, and write the page about them.

    Returns:
        The file of the page.

    Raises:
        ValueError: the page cannot be read, has too little writing, or there is no index.
    """
    index = Index.load(report)
    hits, described = index.query(page)
    if not hits:
        raise ValueError(
            f"{page} has too little writing: {len(described.local.sift)} places were found on it, "
            f"{index.vlad.least} are needed"
        )
    for rank, hit in enumerate(hits, 1):
        log.info("%2d  %-16s %6.2f  %s", rank, hit.grade, hit.score, index.scans[hit.page].name)
    own = contributions(index.vlad, described.local)
    found, letters, looks = {}, {}, {}
    for rank, hit in enumerate(hits):
        shape = index.shapes[hit.page]
        preview = (report / picture_names.preview(hit.page)).read_bytes()
        weights = report / picture_names.weights(hit.page)
        looks[hit.page] = Look(shape, preview, weights.read_bytes() if weights.is_file() else None)
        if rank < EVIDENCE:
            one = evidence(own, contributions(index.vlad, index.places[hit.page]))
            if len(one.shares):
                found[hit.page] = one
                letters[hit.page] = pictures.letter_pairs(
                    one, described.page, _enlarged(preview, shape)
                )
    file = report / "asked" / f"{name_of(str(page))}.html"
    write_query_page(
        file,
        title=f"Who wrote {page.name}?",
        name=page.name,
        look=Look(
            described.shape,
            pictures.preview(described.page),
            pictures.weight_map(own.positions, own.weights.mean(axis=0), described.shape),
        ),
        hits=hits,
        scans=index.scans,
        looks=looks,
        evidence=found,
        letters=letters,
        cutoffs=index.cutoffs,
        about={"Asked": f"{len(index.scans)} pages of {report.name}, by dgmp {__version__}."},
    )
    log.info("open %s", file)
    return file


def _enlarged(preview: bytes, shape: tuple[int, int]) -> np.ndarray:
    """A page of the report at the size at which it was described."""
    image = cv2.imdecode(np.frombuffer(preview, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    return cv2.resize(image, shape[::-1], interpolation=cv2.INTER_CUBIC)


if __name__ == "__main__":
    run(main)

"""The answer to one query: a page that is a single file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dgmp.files import whole_file
from dgmp.scans.scan import Scan
from dgmp.search.findings import Cutoffs, Evidence, Findings, Hit
from pipeline.scans import content, picture_names
from pipeline.scans.page import render


@dataclass(frozen=True)
class Look:
    """How a page looks.

    Attributes:
        shape: Its height and width in pixels, at the size at which it was described.
        preview: A WebP of it, see `pictures.preview`.
        weights: Its map of weights, see `pictures.weight_map`.
    """

    shape: tuple[int, int]
    preview: bytes
    weights: bytes | None = None


def write_query_page(
    file: Path,
    *,
    title: str,
    name: str,
    look: Look,
    hits: Sequence[Hit],
    scans: Sequence[Scan],
    looks: Mapping[int, Look],
    evidence: Mapping[int, Evidence],
    letters: Mapping[int, bytes],
    cutoffs: Cutoffs,
    about: Mapping[str, str],
) -> None:
    """Write the page of a query, with all its pictures inside.

    Args:
        file: Where it goes.
        title: Of the page.
        name: Of the page that was asked about.
        look: Of the page that was asked about.
        hits: Its nearest pages, the nearest first.
        scans: The pages of the index, by the rows of the hits.
        looks: Of each hit, by row.
        evidence: By row of the hit, the page that was asked about first; for some or all.
        letters: Strip of each evidence, see `pictures.letter_pairs`.
        cutoffs: Of the grades.
        about: What was done, by its headings.

    Raises:
        ValueError: a hit has no look, or an evidence no letters.
    """
    rows = [hit.page for hit in hits]
    unseen = [scans[row].name for row in rows if row not in looks]
    undrawn = [scans[row].name for row in rows if row in evidence and row not in letters]
    if unseen or undrawn:
        raise ValueError(
            f"hits without a look: {unseen}, with evidence but without letters: {undrawn}: give "
            "each hit its look, and each evidence its letters"
        )
    # The page asked about is 0, and its hits are 1, 2, and so on.
    shown = [Scan(name, file, codex="asked about"), *(scans[row] for row in rows)]
    all_looks = [look, *(looks[row] for row in rows)]
    shapes = [one.shape for one in all_looks]
    turned = {(0, place): evidence[row] for place, row in enumerate(rows, 1) if row in evidence}
    own = [Hit(at, hit.score, hit.place, hit.grade) for at, hit in enumerate(hits, 1)]
    data = content.script_data(shown, shapes, _findings(own, cutoffs, turned))
    data["basis"] = content.basis(scans)
    data["loaded"] = {0: content.evidence_data(0, turned, shapes)}
    data["pictures"] = {
        _key(picture_names.weights(at)): as_address(one.weights)
        for at, one in enumerate(all_looks)
        if one.weights
    }
    filled = {
        "title": title,
        "scans": shown,
        "shapes": shapes,
        "hits": own,
        "previews": [as_address(one.preview) for one in all_looks],
        "strips": {at: as_address(letters[rows[at - 1]]) for _, at in turned},
        "key": _key,
        "basis": data["basis"],
        "cutoffs": cutoffs,
        "about": about,
    }
    with whole_file(file) as part:
        part.write_text(render("query.html", filled, data), encoding="utf-8")


def as_address(picture: bytes) -> str:
    """A WebP as an address that holds it.

    >>> as_address(b"RIFF")
    'data:image/webp;base64,UklGRg=='
    """
    return "data:image/webp;base64," + base64.b64encode(picture).decode()


def _key(name: str) -> str:
    """Name of a picture as the script asks for it."""
    return name.removesuffix(".webp")


def _findings(
    hits: list[Hit], cutoffs: Cutoffs, evidence: dict[tuple[int, int], Evidence]
) -> Findings:
    """What is known about a query and its hits: the one row of hits."""
    count = len(hits) + 1
    return Findings(
        scores=np.full((count, count), np.nan, np.float32),
        cutoffs=cutoffs,
        hits=[hits, *([] for _ in hits)],
        hits_everywhere=[[] for _ in range(count)],
        groups=np.full(count, -1),
        linkage=np.empty((0, 4)),
        codices=[],
        evidence=evidence,
    )

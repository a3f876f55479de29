"""What a search says about pages, as plain values: what reports are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Grade = Literal["same hand likely", "unsure", "no match here"]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Cutoffs:
    """From which score on a pair gets a grade.

    Attributes:
        likely: At least this: "same hand likely".
        unsure: At least this, but below `likely`: "unsure".
        rule: Where they come from, one sentence for a person.
    """

    likely: float
    unsure: float
    rule: str

    def grade(self, score: float) -> Grade:
        """Grade of a score."""
        if score >= self.likely:
            return "same hand likely"
        return "unsure" if score >= self.unsure else "no match here"


@dataclass(frozen=True)
class Hit:
    """A page near another one.

    Attributes:
        page: Its row.
        score: How similar the two are; larger is nearer.
        place: Share of the pairs of pages of different codices with a lower score, 0 to 1; of all
            pairs, if there is one codex.
        grade: Grade of the score.
    """

    page: int
    score: float
    place: float
    grade: Grade


@dataclass(frozen=True)
class Evidence:
    """Pairs of places that carry the similarity of two pages, the strongest first.

    Attributes:
        places: float32 (k, 2, 2), of each pair x and y on the one and on the other page, in pixels
            of the pages at the size at which they were described.
        sizes: float32 (k, 2), side of the square that was compared there, in the same pixels.
        shares: float32 (k,), part of the similarity that each pair carries; all pairs sum to it.
    """

    places: Floats
    sizes: Floats
    shares: Floats


@dataclass(frozen=True)
class Codex:
    """A codex page by page.

    Attributes:
        name: As its pages call it.
        pages: Rows of its pages with writing, in their order.
        novelty: float32 (len(pages),), how strongly the hand seems to change before each page, 0
            before the first.
        changes: Positions in `pages` before which a change of hand is suggested.
        singletons: Positions in `pages` of single pages that are like none around them.
    """

    name: str
    pages: list[int]
    novelty: Floats
    changes: list[int]
    singletons: list[int]


@dataclass(frozen=True)
class Quality:
    """How good statements were on pages whose hands are known, or that a person judged.

    Attributes:
        what: What was measured, e.g. "nearest page is by the same hand".
        right: How often it was right.
        of: How often it was said.
    """

    what: str
    right: int
    of: int


@dataclass(frozen=True)
class Findings:
    """What a search says about n pages with writing.

    Attributes:
        scores: float32 (n, n), symmetric; larger is nearer; nan on the diagonal.
        cutoffs: Of the grades.
        hits: By row, its nearest pages of other codices, the nearest first.
        hits_everywhere: By row, its nearest pages, those of its own codex among them.
        groups: int (n,), number of the suggested hand from 0, the largest first; -1: fits nowhere.
        linkage: float64 (n - 1, 4), the tree the groups are cut from, as SciPy writes it.
        codices: Page by page; in the order of their names.
        evidence: By (row, row of the hit).
        quality: Measured on known hands and judged pairs; empty where there are none.
    """

    scores: Floats
    cutoffs: Cutoffs
    hits: list[list[Hit]]
    hits_everywhere: list[list[Hit]]
    groups: NDArray[np.intp]
    linkage: NDArray[np.float64]
    codices: list[Codex]
    evidence: dict[tuple[int, int], Evidence] = field(default_factory=dict)
    quality: list[Quality] = field(default_factory=list)

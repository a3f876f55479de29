"""What the report shows, from the findings: plain values for its template and its script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from dgmp.scans.scan import Scan
from dgmp.search.findings import Codex, Evidence, Findings, Grade, Hit
from pipeline.scans.tables import readable

GRADES: tuple[Grade, ...] = get_args(Grade)
FIRST = 6  # pairs shown first: two rows of three on a wide screen
Shape = tuple[int, int]


@dataclass(frozen=True)
class Pair:
    """Two pages that are near each other."""

    row: int
    hit: Hit


@dataclass(frozen=True)
class Hand:
    """A suggested hand.

    Attributes:
        number: From 1.
        codices: Rows of its pages by codex.
        known: How many of its pages a person knows to be by which hand, the most frequent first.
    """

    number: int
    codices: dict[str, list[int]]
    known: list[tuple[str, int]]

    @property
    def rows(self) -> list[int]:
        """All its pages."""
        return [row for rows in self.codices.values() for row in rows]


@dataclass(frozen=True)
class Change:
    """A suggested change of hand: the pages before and after it, and its novelty."""

    before: int
    after: int
    novelty: float


def known_codices(scans: Sequence[Scan]) -> list[str]:
    """Names of the codices in the order of the pages."""
    return list(dict.fromkeys(scan.codex for scan in scans))


def basis(scans: Sequence[Scan]) -> str:
    """What the place of a score is among, in words."""
    return "the pairs of different codices" if len(known_codices(scans)) > 1 else "all pairs"


def likely_pairs(scans: Sequence[Scan], findings: Findings) -> tuple[int, int]:
    """Likely pairs of pages of different codices, and between how many pairs of codices."""
    number = {name: at for at, name in enumerate(known_codices(scans))}
    codex = np.array([number[scan.codex] for scan in scans], dtype=int)
    with np.errstate(invalid="ignore"):
        likely = np.triu(findings.scores >= findings.cutoffs.likely, 1)
    a, b = np.nonzero(likely & (codex[:, None] != codex))
    between = np.sort(np.stack([codex[a], codex[b]]), axis=0)
    return len(a), np.unique(between, axis=1).shape[1]


def first_pairs(
    scans: Sequence[Scan],
    hits: Sequence[Iterable[Hit]],
    evidence: Collection[tuple[int, int]],
) -> list[Pair]:
    """The nearest pairs, those of codices not shown yet before others, and no page twice.

    Pairs with the grade "no match here" are among them only if there are no others. A pair whose
    evidence is drawn for the other direction is turned.
    """
    pairs = [
        Pair(hit.page, replace(hit, page=row))
        if (hit.page, row) in evidence and (row, hit.page) not in evidence
        else Pair(row, hit)
        for row, of_row in enumerate(hits)
        for hit in of_row
    ]
    pairs = [pair for pair in pairs if pair.hit.grade != "no match here"] or pairs
    pairs.sort(key=lambda pair: (-pair.hit.score, pair.row, pair.hit.page))
    chosen: list[Pair] = []
    pages: set[int] = set()
    books: set[frozenset[str]] = set()
    for new_books in (True, False):
        for pair in pairs:
            two = {pair.row, pair.hit.page}
            between = frozenset(scans[row].codex for row in two)
            if len(chosen) < FIRST and not two & pages and not (new_books and between in books):
                chosen.append(pair)
                pages |= two
                books.add(between)
    return sorted(chosen, key=lambda pair: -pair.hit.score)


def suggested_hands(scans: Sequence[Scan], findings: Findings) -> list[Hand]:
    """The groups, the largest first."""
    of_group: dict[int, dict[str, list[int]]] = {}
    for row, group in enumerate(findings.groups.tolist()):
        of_group.setdefault(group, {}).setdefault(scans[row].codex, []).append(row)
    hands = []
    for group in sorted(of_group.keys() - {-1}):
        codices = of_group[group]
        names = (scans[row].hand for rows in codices.values() for row in rows)
        hands.append(Hand(group + 1, codices, Counter(filter(None, names)).most_common()))
    return hands


def changes(codex: Codex) -> list[Change]:
    """The suggested changes of hand of a codex."""
    return [
        Change(codex.pages[at - 1], codex.pages[at], float(codex.novelty[at]))
        for at in codex.changes
    ]


def novelty_line(codex: Codex) -> str:
    """The novelty as the path of a line in a box 1 a page wide and 1 high, 0 at the bottom."""
    top = float(codex.novelty.max(initial=0)) or 1.0
    steps = [1 - float(value) / top for value in codex.novelty]
    # Half a page to each side of the boundary that the value is of.
    points = [f"{at - 0.5:g},{y:.3f} {at + 0.5:g},{y:.3f}" for at, y in enumerate(steps) if at]
    return "M0,1 L0.5,1 L" + " ".join(points) if points else ""


def script_data(
    scans: Sequence[Scan], shapes: Sequence[Shape], findings: Findings
) -> dict[str, Any]:
    """What the script needs of each page and its hits, kept short: 2,000 pages are 2 MB."""
    number = {name: at for at, name in enumerate(known_codices(scans))}
    return {
        "grades": GRADES,
        "basis": basis(scans),
        "codices": [readable(name) for name in number],
        "names": [readable(scan.name) for scan in scans],
        "codex": [number[scan.codex] for scan in scans],
        "hands": [readable(scan.hand) for scan in scans],
        "notes": [readable(scan.note) for scan in scans],
        "groups": findings.groups.tolist(),
        "shapes": [[int(length) for length in shape] for shape in shapes],
        "other": [_flat(hits) for hits in findings.hits],
        "all": [_flat(hits) for hits in findings.hits_everywhere],
        "evidence": _drawn(findings.evidence),
        "orders": [codex.pages for codex in findings.codices],
    }


def evidence_data(
    row: int, evidence: dict[tuple[int, int], Evidence], shapes: Sequence[Shape]
) -> dict[int, list[list[float]]]:
    """Evidence of a page by the row of the hit: x, y and size on each of the two pages, and share.

    Positions and sizes are shares of the width and height of the page, sizes of the width.
    """
    return {
        hit: [
            [
                round(value, 4)
                for page, place, size in zip((row, hit), places, sizes, strict=True)
                for value in (
                    float(place[0]) / shapes[page][1],
                    float(place[1]) / shapes[page][0],
                    float(size) / shapes[page][1],
                )
            ]
            + [round(float(share), 4)]
            for places, sizes, share in zip(one.places, one.sizes, one.shares, strict=True)
        ]
        for (of, hit), one in evidence.items()
        if of == row
    }


def _flat(hits: Iterable[Hit]) -> list[float]:
    return [
        value
        for hit in hits
        for value in (
            hit.page,
            round(float(hit.score), 3),
            round(float(hit.place), 4),
            GRADES.index(hit.grade),
        )
    ]


def _drawn(evidence: dict[tuple[int, int], Evidence]) -> dict[int, dict[int, int]]:
    """How many pairs of letters are drawn, by row and row of the hit."""
    found: dict[int, dict[int, int]] = {}
    for (row, hit), one in evidence.items():
        found.setdefault(row, {})[hit] = len(one.places)
    return found

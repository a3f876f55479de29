"""All that a search says about a collection, from its scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from dgmp.search.changes import page_by_page
from dgmp.search.evidence import Contributions, evidence
from dgmp.search.findings import Cutoffs, Evidence, Findings, Floats
from dgmp.search.grading import fitted_cutoffs, stated_cutoffs
from dgmp.search.groups import group
from dgmp.search.neighbours import hits_of
from dgmp.search.quality import Pair, of_changes, of_groups, of_hits, of_judged

LEAST_SAME = 5
"""Pairs of different codices by the same known hand, or judged so, below which the cut-offs are the
stated ones: of fewer hands the curve tells little."""


def findings_of(
    scores: Floats,
    codices: Sequence[str],
    *,
    orders: Sequence[int] | None = None,
    hands: Sequence[str] | None = None,
    judged: Mapping[Pair, bool] | None = None,
    hits: int = 10,
) -> Findings:
    """Grades, nearest pages, groups, changes of hand, and how good they are; without evidence.

    Args:
        scores: float32 (n, n) of `Scoring.scores`, of pages with enough writing.
        codices: (n,), of each page.
        orders: (n,), place of each page in its codex; None: their order here.
        hands: (n,), "" where a hand is not known; None: none is.
        judged: By two rows, whether a person took them for the same hand's.
        hits: Nearest pages of a page.

    Raises:
        ValueError: fewer than 2 pages, scores that are not finite, lists of another length, judged
            pairs of pages that are none.
    """
    n = len(scores)
    names = list(hands or [""] * n)
    places = list(range(n) if orders is None else orders)
    answers = dict(judged or {})
    for what, values in (("codices", codices), ("orders", places), ("hands", names)):
        if len(values) != n:
            raise ValueError(f"{what} must have one entry for each of {n} pages, got {len(values)}")
    for a, b in answers:
        if a == b or not (0 <= a < n and 0 <= b < n):
            raise ValueError(f"a judged pair must be two rows from 0 to {n - 1}, got {(a, b)}")
    cutoffs = cutoffs_of(scores, codices, names, answers)
    groups, tree = group(scores, cutoffs)
    members: dict[str, list[int]] = {}
    for row in sorted(range(n), key=lambda page: (codices[page], places[page])):
        members.setdefault(codices[row], []).append(row)
    books = [page_by_page(name, pages, scores) for name, pages in members.items()]
    others, everywhere = hits_of(scores, cutoffs, hits, codices)
    quality = [
        *of_hits(scores, cutoffs, names, codices),
        *of_groups(groups, names),
        *of_changes(books, names),
        *of_judged(scores, cutoffs, answers),
    ]
    return Findings(scores, cutoffs, others, everywhere, groups, tree, books, quality=quality)


def cutoffs_of(
    scores: Floats, codices: Sequence[str], hands: Sequence[str], judged: Mapping[Pair, bool]
) -> Cutoffs:
    """Cut-offs from pairs of different codices with known hands, and from judged pairs.

    A judgement goes before the names of the hands. With fewer than `LEAST_SAME` pairs by the same
    hand only judged pairs count; without any the cut-offs are `stated_cutoffs()`.
    """
    names, books = np.asarray(hands), np.asarray(codices)
    known = (names != "")[:, None] & (names != "") & (books[:, None] != books)
    rows, columns = np.nonzero(np.triu(known, 1))
    same = names[rows] == names[columns]
    if np.count_nonzero(same) < LEAST_SAME:
        rows, columns, same = rows[:0], columns[:0], same[:0]
    answers = {
        (a, b): one
        for a, b, one in zip(rows.tolist(), columns.tolist(), same.tolist(), strict=True)
    }
    answers |= {(min(pair), max(pair)): bool(one) for pair, one in judged.items()}
    if not answers:
        return stated_cutoffs()
    sources = [f"{len(answers) - len(judged)} with known hands"] * (len(answers) > len(judged))
    sources += [f"{len(judged)} judged by a person"] * bool(judged)
    values = [scores[pair] for pair in answers]
    return fitted_cutoffs(values, list(answers.values()), f"pages ({', '.join(sources)})")


def evidence_of(
    pairs: Iterable[Pair], pages: Mapping[int, Contributions], k: int = 10
) -> dict[Pair, Evidence]:
    """Evidence of pairs of pages, in both directions; of those that have any.

    Args:
        pairs: By their rows, none of them in both directions.
        pages: By row, see `dgmp.search.evidence.contributions`.
        k: Pairs of places of a pair of pages.
    """
    found: dict[Pair, Evidence] = {}
    for page, other in pairs:
        one = evidence(pages[page], pages[other], k)
        if len(one.shares):
            found[page, other] = one
            found[other, page] = Evidence(one.places[:, ::-1], one.sizes[:, ::-1], one.shares)
    return found

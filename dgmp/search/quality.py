"""How good the statements are on pages whose hands are known, or that a person judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dgmp.search.findings import Codex, Cutoffs, Floats, Quality
from dgmp.search.scoring import codex_numbers

Pair = tuple[int, int]
Flags = NDArray[np.bool_]


def of_hits(
    scores: Floats, cutoffs: Cutoffs, hands: ArrayLike, codices: ArrayLike | None = None
) -> list[Quality]:
    """Nearest pages of other codices, and all pairs of them, against known hands.

    Only pages of known hands are looked at, as if there were no others. A page has a mate if
    another codex has a page by its hand.

    Args:
        scores: (n, n), symmetric.
        cutoffs: Of the grades. Where they were fitted to the same pages, the rows are optimistic.
        hands: (n,), "" where it is not known.
        codices: (n,); None: each page is a codex of its own.
    """
    names = np.asarray(hands)
    known = np.flatnonzero(names != "")
    numbers = codex_numbers(codices, len(scores))[known]
    same = names[known, None] == names[known]
    foreign = numbers[:, None] != numbers
    asked = foreign.any(axis=1)
    if not asked.any():
        return []
    values = np.where(foreign, scores[np.ix_(known, known)], -np.inf)
    nearest = values.argmax(axis=1)
    right = same[np.arange(len(known)), nearest] & asked
    likely = values.max(axis=1) >= cutoffs.likely
    mates = (same & foreign).any(axis=1)
    pairs = np.triu(foreign)
    graded = pairs & (values >= cutoffs.likely)
    return [
        _share(
            "nearest page of another codex is by the same hand, where there is one", right, mates
        ),
        _share('nearest page, where graded "same hand likely", is by the same hand', right, likely),
        _share(
            'nearest page is by the same hand and graded "same hand likely", where there is one',
            right & likely,
            mates,
        ),
        _share('pairs graded "same hand likely" are by the same hand', same, graded),
        _share('pairs by the same hand are graded "same hand likely"', graded, pairs & same),
    ]


def of_groups(groups: NDArray[np.intp], hands: ArrayLike) -> list[Quality]:
    """Pairs of pages in a group, and pairs by a hand, where both hands are known."""
    names = np.asarray(hands)
    known = names != ""
    pairs = np.triu(known[:, None] & known, 1)
    together = pairs & (groups[:, None] == groups) & (groups >= 0)
    same = pairs & (names[:, None] == names)
    if not same.any():
        return []
    return [
        _share("pairs of pages in one group are by the same hand", same, together),
        _share("pairs of pages by the same hand are in one group", together, same),
    ]


def of_changes(codices: Sequence[Codex], hands: ArrayLike) -> list[Quality]:
    """Suggested changes of hand against known ones, right within one page.

    Only codices of which all hands are known are looked at.
    """
    names = np.asarray(hands)
    changes = found = suggested = right = 0
    for codex in codices:
        of_page = names[codex.pages]
        if (of_page == "").any():
            continue
        true = np.flatnonzero(of_page[1:] != of_page[:-1]) + 1
        marks = np.array(codex.changes, dtype=np.intp)
        near = np.abs(true[:, None] - marks) <= 1
        changes += len(true)
        suggested += len(marks)
        found += int(near.any(axis=1).sum())
        right += int(near.any(axis=0).sum())
    rows = [
        Quality("known changes of hand are suggested, within one page", found, changes),
        Quality("suggested changes of hand are known ones, within one page", right, suggested),
    ]
    return [row for row in rows if row.of]


def of_judged(scores: Floats, cutoffs: Cutoffs, judged: Mapping[Pair, bool]) -> list[Quality]:
    """Grades against a person's judgements, True for "same", of pairs of rows."""
    if not judged:
        return []
    values = np.array([scores[pair] for pair in judged])
    same = np.array(list(judged.values()), dtype=bool)
    likely, none = values >= cutoffs.likely, values < cutoffs.unsure
    return [
        _share('judged pairs graded "same hand likely" were judged the same', same, likely),
        _share('judged pairs graded "no match here" were judged different', ~same, none),
        _share('pairs judged the same are graded "same hand likely"', likely, same),
    ]


def _share(what: str, right: Flags, of: Flags) -> Quality:
    return Quality(what, int(np.count_nonzero(right & of)), int(np.count_nonzero(of)))

"""Quality rows against counting by loops."""

import numpy as np
import pytest

from dgmp.search.findings import Codex, Cutoffs, Quality
from dgmp.search.groups import group
from dgmp.search.quality import of_changes, of_groups, of_hits, of_judged
from tests.dgmp.search.test_groups import scores_of

CUTOFFS = Cutoffs(10.0, 7.0, "")
HANDS = ["a"] * 4 + ["b"] * 5 + ["c", "", ""] + ["d"] * 3
CODICES = [f"k{i // 2}" for i in range(15)]


def scores(seed):
    return scores_of([hand or "x" for hand in HANDS], other=6, noise=6, seed=seed)


def counts(rows):
    return [(row.right, row.of) for row in rows]


@pytest.mark.parametrize("seed", range(3))
def test_hits_agree_with_loops(seed):
    matrix = scores(seed)
    known = [i for i, hand in enumerate(HANDS) if hand]
    right = mates = likely = both = likely_right = 0
    for i in known:
        others = [j for j in known if CODICES[j] != CODICES[i]]
        best = max(others, key=lambda j: matrix[i, j])
        good, graded = HANDS[best] == HANDS[i], matrix[i, best] >= 10
        mate = any(HANDS[j] == HANDS[i] for j in others)
        mates += mate
        right += good
        likely += graded
        likely_right += graded and good
        both += graded and good and mate
    pairs = [(i, j) for i in known for j in known if i < j and CODICES[i] != CODICES[j]]
    same = {(i, j) for i, j in pairs if HANDS[i] == HANDS[j]}
    graded = {(i, j) for i, j in pairs if matrix[i, j] >= 10}
    assert counts(of_hits(matrix, CUTOFFS, HANDS, CODICES)) == [
        (right, mates),
        (likely_right, likely),
        (both, mates),
        (len(same & graded), len(graded)),
        (len(same & graded), len(same)),
    ]


def test_groups_agree_with_loops():
    groups, _ = group(scores(1), CUTOFFS)
    known = [i for i, hand in enumerate(HANDS) if hand]
    pairs = [(i, j) for i in known for j in known if i < j]
    together = {(i, j) for i, j in pairs if groups[i] == groups[j] != -1}
    same = {(i, j) for i, j in pairs if HANDS[i] == HANDS[j]}
    assert counts(of_groups(groups, HANDS)) == [
        (len(together & same), len(together)),
        (len(together & same), len(same)),
    ]


def test_changes_are_right_within_one_page():
    hands = ["a"] * 5 + ["b"] * 5
    novelty = np.zeros(10, np.float32)
    codex = Codex("k", list(range(10)), novelty, [2, 6], [])
    assert counts(of_changes([codex], hands)) == [(1, 1), (1, 2)]
    assert of_changes([codex], [*hands[:9], ""]) == []
    assert counts(of_changes([Codex("k", list(range(10)), novelty, [2], [])], ["a"] * 10)) == [
        (0, 1)
    ]


def test_judged_pairs():
    matrix = np.array([[np.nan, 12, 3], [12, np.nan, 8], [3, 8, np.nan]], np.float32)
    judged = {(0, 1): True, (2, 0): False, (1, 2): True}
    assert counts(of_judged(matrix, CUTOFFS, judged)) == [(1, 1), (1, 1), (1, 2)]


def test_nothing_known_gives_no_rows():
    none = [""] * 15
    groups = np.zeros(15, np.intp)
    found: list[Quality] = of_hits(scores(0), CUTOFFS, none) + of_groups(groups, none)
    assert found + of_judged(scores(0), CUTOFFS, {}) == []
    assert of_hits(scores(0), CUTOFFS, HANDS, ["one"] * 15) == []

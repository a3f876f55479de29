"""Findings of a collection."""

from dataclasses import replace

import numpy as np
import pytest

from dgmp.encoding import VLAD
from dgmp.search.assembly import LEAST_SAME, cutoffs_of, evidence_of, findings_of
from dgmp.search.evidence import contributions, evidence
from dgmp.search.grading import fitted_cutoffs, stated_cutoffs
from tests.dgmp.search.test_evidence import PAGES
from tests.dgmp.search.test_groups import scores_of

HANDS = ["a"] * 6 + ["b"] * 6 + ["c"] * 6
CODICES = ["z"] * 3 + ["y"] * 6 + ["x"] * 9
SCORES = scores_of(HANDS)


def test_findings_of_known_hands():
    found = findings_of(SCORES, CODICES, hands=HANDS)
    assert [codex.name for codex in found.codices] == ["x", "y", "z"]
    assert [codex.changes for codex in found.codices] == [[3], [3], []]
    assert found.groups.tolist() == [0] * 6 + [1] * 6 + [2] * 6
    assert all(len(hits) == 10 for hits in found.hits_everywhere)
    assert {CODICES[hit.page] for hit in found.hits[0]} <= {"y", "x"}
    assert found.hits[0][0].grade == "same hand likely"
    assert all(row.right == row.of for row in found.quality)
    assert "known hands" in found.cutoffs.rule


def test_pages_of_a_codex_are_in_their_order():
    found = findings_of(SCORES, ["k"] * 18, orders=list(range(18))[::-1])
    assert found.codices[0].pages == list(range(18))[::-1]
    assert found.codices[0].changes == [6, 12]


def test_without_knowledge_the_rule_is_stated_and_no_quality_claimed():
    found = findings_of(SCORES, CODICES)
    assert found.cutoffs == stated_cutoffs()
    assert found.quality == []


def test_judged_pairs_move_the_cutoffs_and_are_counted():
    found = findings_of(SCORES, CODICES, judged={(0, 17): True, (5, 3): False})
    assert found.cutoffs != stated_cutoffs()
    assert "2 judged by a person" in found.cutoffs.rule
    assert sum(row.of for row in found.quality) == 3


def test_a_judgement_goes_before_the_names_of_hands():
    matrix = SCORES
    plain = cutoffs_of(matrix, CODICES, HANDS, {})
    assert cutoffs_of(matrix, CODICES, HANDS, {(5, 2): True}) == fitted_cutoffs(
        *_pairs(matrix), "pages (98 with known hands, 1 judged by a person)"
    )
    assert cutoffs_of(matrix, CODICES, HANDS, {(2, 5): False}).likely > plain.likely


def _pairs(matrix):
    pairs = [(i, j) for i in range(18) for j in range(i + 1, 18) if CODICES[i] != CODICES[j]]
    pairs = pairs if (2, 5) in pairs else [*pairs, (2, 5)]
    return [matrix[pair] for pair in pairs], [HANDS[i] == HANDS[j] for i, j in pairs]


def test_few_pairs_by_a_hand_tell_nothing():
    hands = ["a", "a", *[""] * 16]
    assert LEAST_SAME > 1
    assert cutoffs_of(SCORES, [str(i) for i in range(18)], hands, {}) == stated_cutoffs()


def test_evidence_of_pairs_in_both_directions():
    vlad = VLAD(centres=5, dimensions=8).fit([page.vectors for page in PAGES])
    parts = {row: contributions(vlad, page) for row, page in enumerate(PAGES)}
    pairs = [(0, 3), (2, 0), (5, 1)]
    found = evidence_of(pairs, parts, 3)
    assert found.keys() == {*pairs, *(pair[::-1] for pair in pairs)}
    for page, other in pairs:
        one, back = found[page, other], found[other, page]
        np.testing.assert_array_equal(one.places, evidence(parts[page], parts[other], 3).places)
        assert len(one.shares) == 3
        assert np.array_equal(one.places, back.places[:, ::-1])
        assert (np.isin(one.places[:, 0], PAGES[page].positions)).all()


def test_pairs_without_evidence_are_left_out():
    vlad = VLAD(centres=5, dimensions=8).fit([page.vectors for page in PAGES])
    large = replace(PAGES[1], sizes=1000 * PAGES[1].sizes)  # no pair of letters of one size
    parts = {row: contributions(vlad, page) for row, page in enumerate([PAGES[0], large])}
    assert evidence_of([(0, 1)], parts) == {}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"codices": ["a"]}, "codices must have one entry for each of 18 pages, got 1"),
        ({"hands": ["a"]}, "hands must have one entry"),
        ({"orders": [1]}, "orders must have one entry"),
        ({"judged": {(0, 0): True}}, "two rows from 0 to 17"),
        ({"judged": {(0, 18): True}}, "two rows from 0 to 17"),
    ],
)
def test_bad_input(settings, message):
    with pytest.raises(ValueError, match=message):
        findings_of(SCORES, **({"codices": CODICES} | settings))

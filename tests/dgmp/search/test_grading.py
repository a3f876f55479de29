"""Cut-offs, stated and fitted."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from dgmp.search import grading
from dgmp.search.grading import fitted_cutoffs, stated_cutoffs


def pairs(count, midpoint, slope, seed=0):
    rng = np.random.default_rng(seed)
    scores = rng.uniform(-2, 20, count)
    return scores, rng.random(count) < 1 / (1 + np.exp(-slope * (scores - midpoint)))


def test_grades_of_the_stated_cutoffs():
    cutoffs = stated_cutoffs()
    assert [cutoffs.grade(score) for score in (12, 8, 3)] == [
        "same hand likely",
        "unsure",
        "no match here",
    ]


def test_many_pairs_outweigh_the_priors():
    scores, same = pairs(40_000, midpoint=5.0, slope=1.4)
    fitted = LogisticRegression(C=1e9).fit(scores[:, None], same)
    midpoint, slope = -fitted.intercept_[0] / fitted.coef_[0, 0], fitted.coef_[0, 0]
    found = fitted_cutoffs(scores, same, "known hands")
    assert found.likely == pytest.approx(midpoint + np.log(0.85 / 0.15) / slope, abs=0.05)
    assert found.unsure == pytest.approx(midpoint + np.log(0.2 / 0.8) / slope, abs=0.05)


def test_one_pair_moves_them_a_little_and_in_its_direction():
    stated = stated_cutoffs()
    lower = fitted_cutoffs([6.0], [True], "judged pairs")
    higher = fitted_cutoffs([11.0], [False], "judged pairs")
    assert stated.likely - 2 < lower.likely < stated.likely < higher.likely < stated.likely + 2


def test_answers_that_are_expected_hardly_move_them():
    found = fitted_cutoffs([20.0] * 50 + [0.0] * 50, [True] * 50 + [False] * 50, "known hands")
    assert found.likely == pytest.approx(stated_cutoffs().likely, abs=0.3)


def test_pairs_chosen_by_their_score_give_the_same_curve():
    scores, same = pairs(60_000, midpoint=10.0, slope=1.0)
    chosen = scores > 9
    every, some = (
        fitted_cutoffs(scores[which], same[which], "known hands") for which in (slice(None), chosen)
    )
    assert some.likely == pytest.approx(every.likely, abs=0.15)


def test_the_rule_says_what_it_was_fitted_to():
    assert "2 pairs of judged pages, 1 of them" in (
        fitted_cutoffs([9.0, 3.0], [True, False], "judged pages").rule
    )


def test_the_order_of_the_cutoffs_holds_for_contradictions():
    found = fitted_cutoffs([0.0] * 30 + [20.0] * 30, [True] * 30 + [False] * 30, "odd answers")
    assert found.unsure < found.likely
    assert grading.P_UNSURE < grading.P_LIKELY


@pytest.mark.parametrize(
    ("scores", "same", "message"),
    [
        ([], [], "at least one pair"),
        ([1.0, 2.0], [True], "one answer for each"),
        ([np.nan], [True], "finite"),
    ],
)
def test_bad_input(scores, same, message):
    with pytest.raises(ValueError, match=message):
        fitted_cutoffs(scores, same, "known hands")

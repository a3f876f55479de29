"""Changes of hand in a codex, against all cuts there are."""

from itertools import combinations

import numpy as np
import pytest

from dgmp.search.changes import PENALTY, REACH, cheapest_cuts, gain, page_by_page
from tests.dgmp.search.test_groups import scores_of


def found(hands, **settings):
    return page_by_page("codex", list(range(len(hands))), scores_of(hands, **settings))


def cost(kernel, cuts):
    total = PENALTY * len(cuts)
    for a, b in zip([0, *cuts], [*cuts, len(kernel)], strict=True):
        run = kernel[a:b, a:b]
        total += np.trace(run) - run.sum() / (b - a)
    return total


@pytest.mark.parametrize("seed", range(5))
def test_cuts_are_the_cheapest_of_all(seed):
    kernel = scores_of([0, 0, 0, 1, 1, 2, 2, 2], other=5, noise=5, seed=seed).astype(float)
    np.fill_diagonal(kernel, np.nanmax(kernel, axis=1))
    every = [cuts for k in range(8) for cuts in combinations(range(1, 8), k)]
    best = min(every, key=lambda cuts: cost(kernel, cuts))
    assert cost(kernel, cheapest_cuts(kernel)) == pytest.approx(cost(kernel, best))


def test_gain_is_what_a_cut_lowers_the_cost_by():
    kernel = scores_of([0] * 4 + [1] * 3, seed=2).astype(float)
    np.fill_diagonal(kernel, np.nanmax(kernel, axis=1))
    for place in range(1, 7):
        lowered = cost(kernel, []) - (cost(kernel, [place]) - PENALTY)
        assert gain(kernel, 0, place, 7) == pytest.approx(lowered)


def test_a_change_is_found_and_stands_out():
    codex = found([0] * 6 + [1] * 5 + [0] * 4)
    assert codex.changes == [6, 11]
    assert codex.singletons == []
    assert codex.novelty[0] == 0
    assert set(np.argsort(codex.novelty)[-2:]) == {6, 11}


def test_one_hand_has_no_change():
    for seed in range(10):
        codex = found([0] * 40, seed=seed)
        assert codex.changes == codex.singletons == []


def test_a_page_of_another_hand_is_a_singleton_and_no_change():
    codex = found([0] * 5 + [1] + [0] * 5)
    assert (codex.changes, codex.singletons) == ([], [5])


def test_a_singleton_between_two_hands_leaves_one_change():
    codex = found([0] * 5 + [1] + [2] * 5)
    assert (codex.changes, codex.singletons) == ([6], [5])


@pytest.mark.parametrize(("hands", "place"), [([1] + [0] * 5, 0), ([0] * 5 + [1], 5)])
def test_singletons_at_the_ends(hands, place):
    codex = found(hands)
    assert (codex.changes, codex.singletons) == ([], [place])


def test_a_slow_drift_is_no_change():
    places = np.arange(120)
    drift = 14 - np.abs(places[:, None] - places) / 8
    codex = page_by_page("codex", places.tolist(), drift.astype(np.float32))
    assert cheapest_cuts(drift)  # what the reach is for
    assert codex.changes == []
    assert REACH < 120


def test_rows_of_a_collection_are_taken_in_the_order_of_the_codex():
    scores = scores_of([0, 1] * 6)
    pages = [*range(0, 12, 2), *range(1, 12, 2)]
    codex = page_by_page("codex", pages, scores)
    assert (codex.pages, codex.changes) == (pages, [6])


@pytest.mark.parametrize("pages", [[], [3]])
def test_hardly_any_pages(pages):
    codex = page_by_page("codex", pages, scores_of([0] * 5))
    assert (codex.pages, codex.changes, codex.singletons) == (pages, [], [])
    assert codex.novelty.tolist() == [0.0] * len(pages)


def test_scores_that_are_not_finite():
    with pytest.raises(ValueError, match="pages of codex must be finite"):
        page_by_page("codex", [0, 1, 2], np.full((3, 3), np.nan, np.float32))

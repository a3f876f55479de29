"""Groups of pages, against a naive clustering."""

import numpy as np
import pytest

from dgmp.search.findings import Cutoffs
from dgmp.search.groups import group

CUTOFFS = Cutoffs(10.0, 7.0, "")


def scores_of(hands, same=14.0, other=0.0, noise=2.0, seed=0):
    rng = np.random.default_rng(seed)
    hands = np.asarray(hands)
    found = np.where(hands[:, None] == hands, same, other) + noise * rng.normal(
        size=(len(hands),) * 2
    )
    found = (found + found.T) / 2
    np.fill_diagonal(found, np.nan)
    return found.astype(np.float32)


def naively(scores, cut):
    clusters = [[i] for i in range(len(scores))]
    while len(clusters) > 1:
        means = {
            (a, b): np.mean([scores[i, j] for i in clusters[a] for j in clusters[b]])
            for a in range(len(clusters))
            for b in range(a)
        }
        (a, b), best = max(means.items(), key=lambda item: item[1])
        if best < cut:
            break
        clusters[b] += clusters.pop(a)
    return {frozenset(cluster) for cluster in clusters}


@pytest.mark.parametrize("seed", range(4))
def test_groups_agree_with_a_naive_clustering(seed):
    scores = scores_of([0] * 4 + [1] * 5 + [2, 3] * 2, other=4, noise=5, seed=seed)
    found, _ = group(scores, CUTOFFS)
    alone = [{i} for i in np.flatnonzero(found == -1)]
    together = [set(np.flatnonzero(found == g)) for g in range(found.max() + 1)]
    assert {frozenset(map(int, c)) for c in alone + together} == naively(scores, CUTOFFS.unsure)


def test_the_largest_is_first_and_lone_pages_fit_nowhere():
    found, tree = group(scores_of([7, 5, 5, 3, 9, 3, 3, 5, 3]), CUTOFFS)
    assert found.tolist() == [-1, 1, 1, 0, -1, 0, 0, 1, 0]
    assert found.dtype == np.intp
    assert tree.shape == (8, 4)


def test_equal_sizes_are_in_the_order_of_their_first_pages():
    assert group(scores_of([4, 2, 4, 2]), CUTOFFS)[0].tolist() == [0, 1, 0, 1]


def test_heights_are_scores_below_the_largest():
    scores = scores_of([0, 0, 1, 1], noise=0)
    assert group(scores, CUTOFFS)[1][:, 2] == pytest.approx([0, 0, 14])


@pytest.mark.parametrize("scores", [np.zeros((1, 1)), np.zeros((2, 3)), np.full((3, 3), np.nan)])
def test_bad_input(scores):
    with pytest.raises(ValueError, match="groups need finite scores"):
        group(scores, CUTOFFS)

"""Scores between pages, against loops, and what must not change them."""

import numpy as np
import pytest

from dgmp.encoding import PowerNorm, Whitening
from dgmp.search.scoring import LOW, POWER, SHRINKAGE, Scoring

HANDS = np.repeat(np.arange(10), 3)


def pages(seed=0, width=60, noise=0.4):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(10, width))[HANDS] + noise * rng.normal(size=(len(HANDS), width))


def by_loops(vectors, codices):
    rows = Whitening(None, SHRINKAGE).fit_transform(PowerNorm(POWER).fit_transform(vectors))
    n = len(rows)
    cosine = [[float(a @ b) for b in rows] for a in rows]
    medians = [
        np.median([cosine[i][j] for j in range(n) if codices[i] != codices[j]]) for i in range(n)
    ]
    moved = [[cosine[i][j] - (medians[i] + medians[j]) / 2 for j in range(n)] for i in range(n)]
    pairs = [moved[i][j] for i in range(n) for j in range(n) if codices[i] != codices[j]]
    return np.array(moved) / (np.median(pairs) - np.quantile(pairs, LOW))


@pytest.mark.parametrize("codices", [np.arange(30), np.arange(30) // 4])
def test_scores_agree_with_loops(codices):
    found = Scoring.fit(pages(), codices).scores()
    assert found.dtype == np.float32
    off = ~np.eye(30, dtype=bool)
    assert np.allclose(found[off], by_loops(pages(), codices)[off], rtol=1e-3, atol=1e-3)
    assert np.isnan(np.diag(found)).all()
    assert np.array_equal(found, found.T, equal_nan=True)


def test_no_codices_are_one_for_each_page():
    a, b = Scoring.fit(pages()), Scoring.fit(pages(), [f"c{i}" for i in range(30)])
    assert np.array_equal(a.scores(), b.scores(), equal_nan=True)


def test_the_cohort_of_a_codex_without_others_are_all_pages():
    one, none = Scoring.fit(pages(), np.zeros(30)), Scoring.fit(pages())
    assert np.array_equal(one.scores(), none.scores(), equal_nan=True)


def test_a_large_codex_by_one_hand_does_not_move_its_own_median():
    rng = np.random.default_rng(3)
    hand = rng.normal(size=(1, 60)) + 0.6 * rng.normal(size=(40, 60))
    vectors, codices = np.concatenate([hand, pages()]), np.r_[np.full(40, -1), np.arange(30)]
    known, unknown = Scoring.fit(vectors, codices).scores(), Scoring.fit(vectors).scores()
    inside = np.ix_(np.arange(40), np.arange(40))
    assert np.nanmedian(known[inside]) > np.nanmedian(unknown[inside]) + 0.5


def test_the_order_of_the_pages_does_not_matter():
    order = np.random.default_rng(1).permutation(30)
    moved = Scoring.fit(pages()[order]).scores()
    assert np.allclose(moved, Scoring.fit(pages()).scores()[np.ix_(order, order)], 1e-3, 1e-3, True)


@pytest.mark.parametrize("width", [20, 200])  # fewer and more entries than pages
def test_a_query_scores_as_if_it_were_in_the_collection(width):
    rng = np.random.default_rng(5)
    hands = np.repeat(np.arange(40), 3)
    vectors = rng.normal(size=(40, width))[hands] + 0.6 * rng.normal(size=(120, width))
    within = Scoring.fit(vectors).scores()[0, 1:]
    asked = Scoring.fit(vectors[1:]).query(vectors[:1])[0]
    assert asked.dtype == np.float32
    assert np.corrcoef(within, asked)[0, 1] > 0.99
    assert asked.argmax() == within.argmax()
    assert asked.max() == pytest.approx(within.max(), rel=0.05)


def test_a_page_of_the_collection_finds_itself():
    asked = Scoring.fit(pages()).query(pages()[:4])
    assert asked.argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_a_query_of_another_width():
    with pytest.raises(ValueError, match="59 features"):
        Scoring.fit(pages()).query(np.ones((1, 59)))


def test_a_query_without_information_has_no_score():
    assert np.isnan(Scoring.fit(pages()).query(np.zeros((1, 60)))).all()


def test_same_hands_score_higher():
    scores = Scoring.fit(pages()).scores()
    same = (HANDS[:, None] == HANDS) & ~np.isnan(scores)
    assert np.nanmin(scores[same]) > np.nanquantile(scores[HANDS[:, None] != HANDS], 0.99)


@pytest.mark.parametrize(
    ("vectors", "codices", "message"),
    [
        (np.ones((2, 3)), None, "at least 3 pages, all with enough writing, got 2"),
        (np.r_[pages(), np.zeros((1, 60))], None, "got 31, of which 1 without"),
        (pages(), [1, 2], r"codices must be \(30,\)"),
        (np.ones((4, 3)), None, "pages that differ"),
    ],
)
def test_bad_input(vectors, codices, message):
    with pytest.raises(ValueError, match=message):
        Scoring.fit(vectors, codices)

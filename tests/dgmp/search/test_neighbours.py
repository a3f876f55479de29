"""Nearest pages against loops, and of large collections against the whole matrix."""

import sys

import numpy as np
import pytest

from dgmp.encoding import Whitening
from dgmp.search import neighbours
from dgmp.search.grading import stated_cutoffs
from dgmp.search.neighbours import hits_of, nearest_pages, nearest_pages_by_faiss
from dgmp.search.scoring import Scoring

CODICES = [f"c{i // 4}" for i in range(23)]


def scores(seed=0, n=23):
    values = np.random.default_rng(seed).normal(5, 4, (n, n)).astype(np.float32)
    values += values.T
    np.fill_diagonal(values, np.nan)
    return values


def test_hits_agree_with_loops():
    matrix = scores()
    other, everywhere = hits_of(matrix, stated_cutoffs(), 5, CODICES)
    pairs = [matrix[i, j] for i in range(23) for j in range(i) if CODICES[i] != CODICES[j]]
    for page in range(23):
        by_score = sorted((j for j in range(23) if j != page), key=lambda j: -matrix[page, j])
        assert [hit.page for hit in everywhere[page]] == by_score[:5]
        wanted = [j for j in by_score if CODICES[j] != CODICES[page]][:5]
        assert [hit.page for hit in other[page]] == wanted
        for hit in other[page]:
            assert hit.score == matrix[page, hit.page]
            assert hit.grade == stated_cutoffs().grade(hit.score)
            assert hit.place == pytest.approx(np.mean([pair < hit.score for pair in pairs]))


def test_one_codex_has_hits_everywhere_only():
    other, everywhere = hits_of(scores(), stated_cutoffs(), 10, ["a"] * 23)
    assert not any(other)
    assert all(len(hits) == 10 for hits in everywhere)
    pairs = scores()[np.triu_indices(23, 1)]
    assert everywhere[0][0].place == pytest.approx(np.mean(pairs < everywhere[0][0].score))


def test_hits_need_a_square():
    with pytest.raises(ValueError, match=r"\(n, n\)"):
        hits_of(scores()[:, :5], stated_cutoffs())


@pytest.fixture(params=["blocks", "faiss"])
def nearest(request):
    if request.param == "blocks":
        return nearest_pages
    pytest.importorskip("faiss", reason="FAISS is an extra: pip install 'dgmp[faiss]'")
    return nearest_pages_by_faiss


@pytest.mark.parametrize("block", [4 * 23 * 5, neighbours.BLOCK_BYTES])
@pytest.mark.parametrize("codices", [None, CODICES, ["a"] * 3 + ["b"] * 15 + list("cdefg")])
def test_large_collections_agree_with_the_matrix(nearest, codices, block, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK_BYTES", block)
    scoring = Scoring.fit(np.random.default_rng(2).normal(size=(23, 40)), codices)
    positions, values = nearest(scoring, 4, codices)
    other, _ = hits_of(scoring.scores(), stated_cutoffs(), 4, codices)
    assert positions.tolist() == [[hit.page for hit in hits] for hits in other]
    assert np.allclose(values, [[hit.score for hit in hits] for hits in other], atol=1e-4)


def test_medians_that_differ_count(nearest):
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(200, 9)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    medians = rng.normal(0, 0.5, 200).astype(np.float32)
    scoring = Scoring(Whitening(), rows, medians, 0.3, np.arange(200))
    positions, values = nearest(scoring, 10)
    expected = (rows @ rows.T - (medians[:, None] + medians) / 2).astype(float) / 0.3
    np.fill_diagonal(expected, -np.inf)
    np.testing.assert_array_equal(positions, np.argsort(-expected, axis=1)[:, :10])
    np.testing.assert_allclose(values, -np.sort(-expected, axis=1)[:, :10], rtol=1e-5, atol=1e-5)


def test_rows_of_large_codices_end_empty(nearest):
    codices = ["a"] * 20 + ["b"] * 3
    scoring = Scoring.fit(np.random.default_rng(2).normal(size=(23, 40)), codices)
    positions, values = nearest(scoring, 5, codices)
    assert (positions[:20, 3:] == -1).all()
    assert np.isneginf(values[:20, 3:]).all()
    assert (positions[20:] >= 0).all()


@pytest.mark.parametrize("k", [0, 23])
def test_bad_k(nearest, k):
    scoring = Scoring.fit(np.random.default_rng(2).normal(size=(23, 40)))
    with pytest.raises(ValueError, match="k must be from 1 to 22"):
        nearest(scoring, k)


def test_faiss_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    scoring = Scoring.fit(np.random.default_rng(2).normal(size=(23, 40)))
    with pytest.raises(ValueError, match=r"not installed: pip install '\.\[faiss\]', or take"):
        nearest_pages_by_faiss(scoring)

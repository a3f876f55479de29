"""Nearest pages against loops, and of large collections against the whole matrix."""

import numpy as np
import pytest

from dgmp.search import neighbours
from dgmp.search.grading import stated_cutoffs
from dgmp.search.neighbours import hits_of, nearest_pages
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


@pytest.mark.parametrize("codices", [None, CODICES])
def test_blocks_agree_with_the_matrix(codices, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK_BYTES", 4 * 23 * 5)
    scoring = Scoring.fit(np.random.default_rng(2).normal(size=(23, 40)), codices)
    positions, values = nearest_pages(scoring, 4, codices)
    other, _ = hits_of(scoring.scores(), stated_cutoffs(), 4, codices)
    assert positions.tolist() == [[hit.page for hit in hits] for hits in other]
    assert np.allclose(values, [[hit.score for hit in hits] for hits in other], atol=1e-4)


def test_rows_of_large_codices_end_empty():
    codices = ["a"] * 20 + ["b"] * 3
    scoring = Scoring.fit(np.random.default_rng(2).normal(size=(23, 40)), codices)
    positions, values = nearest_pages(scoring, 5, codices)
    assert (positions[:20, 3:] == -1).all()
    assert np.isneginf(values[:20, 3:]).all()
    assert (positions[20:] >= 0).all()


@pytest.mark.parametrize("k", [0, 23])
def test_bad_k(k):
    scoring = Scoring.fit(np.random.default_rng(2).normal(size=(23, 40)))
    with pytest.raises(ValueError, match="k must be from 1 to 22"):
        nearest_pages(scoring, k)

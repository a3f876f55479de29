import numpy as np
import pytest

from dgmp.encoding import ExemplarSVM, PowerNorm, Whitening, cosine_distances, rerank
from pipeline.shared.settings.params import load_params
from pipeline.shared.settings.systems import STEPS
from pipeline.systems.chain import PageVectors, climb
from tests.pipeline.conftest import ROOT

PARAMS = load_params(ROOT / "params.yaml")
CHAIN = PARAMS.chain
RNG = np.random.default_rng(0)
WRITERS = np.repeat(np.arange(8), 3)
TRAIN = RNG.normal(size=(30, 40))
TEST = RNG.normal(size=(24, 40)) + 2 * np.eye(8, 40)[WRITERS]


def system(**changes):
    return PARAMS.systems["sift-gmp"].model_copy(update=changes)


@pytest.mark.parametrize("svm_of", ["raw", "whitened"])
def test_each_step_is_that_of_dgmp(svm_of):
    found = dict(climb(system(svm_of=svm_of), CHAIN, PageVectors(TRAIN, TEST)))
    assert tuple(found) == STEPS
    train, test = PowerNorm(0.5).transform(TRAIN), PowerNorm(0.5).transform(TEST)
    white = Whitening(CHAIN.components, CHAIN.shrinkage).fit(train)
    of = (train, test) if svm_of == "raw" else (white.transform(train), white.transform(test))
    exemplars = ExemplarSVM(CHAIN.c).fit(of[0]).transform(of[1])
    graph = CHAIN.rerank
    expected = {
        "raw": cosine_distances(test),
        "whitened": cosine_distances(white.transform(test)),
        "esvm": cosine_distances(exemplars),
        "reranked": rerank(exemplars, "sgr", k=graph.k, layers=graph.layers, gamma=graph.gamma),
    }
    for step in STEPS:
        np.testing.assert_allclose(found[step], expected[step], atol=1e-6)
        assert found[step].dtype == np.float32


def test_a_metric_of_its_own_is_the_raw_step():
    raw = RNG.random((24, 24))
    found = dict(climb(system(), CHAIN, PageVectors(TRAIN, TEST, raw)))
    np.testing.assert_array_equal(found["raw"], raw.astype(np.float32))


def test_a_page_without_information_is_found_by_none():
    test = TEST.copy()
    test[5] = 0
    without = dict(climb(system(), CHAIN, PageVectors(TRAIN, np.delete(TEST, 5, axis=0))))
    for step, distances in climb(system(), CHAIN, PageVectors(TRAIN, test)):
        others = np.delete(distances, 5, axis=0)
        assert (others[:, 5] >= others.max(axis=1)).all(), step
        # The others are as far from each other as if the page were not there.
        np.testing.assert_allclose(np.delete(others, 5, axis=1), without[step], atol=1e-5)


def test_only_reranking_looks_at_other_test_pages():
    whole = dict(climb(system(), CHAIN, PageVectors(TRAIN, TEST)))
    part = dict(climb(system(), CHAIN, PageVectors(TRAIN, TEST[:12])))
    for step in STEPS[:3]:
        np.testing.assert_allclose(part[step], whole[step][:12, :12], atol=1e-5)
    assert np.abs(part["reranked"] - whole["reranked"][:12, :12]).max() > 1e-3


def test_nothing_to_fit_on():
    vectors = PageVectors(np.zeros_like(TRAIN), TEST)
    assert not vectors.informative
    found = dict(climb(system(), CHAIN, vectors))
    assert tuple(found) == STEPS
    for distances in found.values():
        assert (distances[~np.eye(24, dtype=bool)] == distances.max()).all()

"""What all estimators of the chain have in common."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from dgmp.encoding import ExemplarSVM, PowerNorm, Whitening, cosine_distances

ESTIMATORS = [PowerNorm(), Whitening(), ExemplarSVM()]
PAGES = np.random.default_rng(0).normal(size=(12, 40))


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", [Whitening(), ExemplarSVM()])
def test_not_fitted(estimator):
    with pytest.raises(NotFittedError):
        clone(estimator).transform(PAGES)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_pages_without_information_stay_zero_and_change_nothing(estimator):
    pages = PAGES.copy()
    pages[[0, 5]] = 0
    informative = pages.any(axis=1)
    estimator = clone(estimator).fit(pages)
    encoded = estimator.transform(pages)
    assert not encoded[~informative].any()
    without = clone(estimator).fit(pages[informative]).transform(pages[informative])
    np.testing.assert_allclose(
        cosine_distances(without), cosine_distances(encoded[informative]), atol=1e-6
    )
    np.testing.assert_allclose(np.linalg.norm(encoded[informative], axis=1), 1)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_order_of_pages_does_not_matter(estimator):
    order = np.random.default_rng(1).permutation(len(PAGES))
    test = np.random.default_rng(2).normal(size=(5, 40))
    one = cosine_distances(clone(estimator).fit(PAGES).transform(test))
    other = cosine_distances(clone(estimator).fit(PAGES[order]).transform(test[::-1]))
    np.testing.assert_allclose(other[::-1, ::-1], one, atol=1e-6)


def test_pipeline():
    chain = make_pipeline(PowerNorm(), Whitening(components=4), ExemplarSVM(C=1.0))
    chain.set_params(whitening__components=3)
    encoded = chain.fit(PAGES).transform(PAGES[:5])
    assert encoded.shape == (5, 3)
    pages = PowerNorm(0.5).transform(PAGES)
    whitening = Whitening(components=3).fit(pages)
    svm = ExemplarSVM(C=1.0).fit(whitening.transform(pages))
    step_by_step = svm.transform(whitening.transform(pages[:5]))
    np.testing.assert_allclose(encoded, step_by_step, atol=1e-12)


@pytest.mark.parametrize("power", [0.4, 0.5, 1])
def test_power_norm_by_loops(power):
    normalized = PowerNorm(power).transform(PAGES)
    for page, row in zip(PAGES, normalized, strict=True):
        powers = [np.sign(x) * abs(x) ** power for x in page]
        length = sum(x * x for x in powers) ** 0.5
        np.testing.assert_allclose(row, [x / length for x in powers], rtol=1e-12)


@pytest.mark.parametrize(
    ("estimator", "pages", "message"),
    [
        (PowerNorm(0), PAGES, "power must be a positive number, usually 0.5, got 0"),
        (Whitening(components=0), PAGES, "components must be a whole number from 1, .*got 0"),
        (Whitening(components=2.5), PAGES, "got 2.5"),
        (Whitening(shrinkage=-1), PAGES, "shrinkage must be .* at least 0, got -1"),
        (Whitening(), PAGES[:1], "needs at least 2 pages with information, got 1"),
        (Whitening(), PAGES[:3] * [[1], [0], [0]], r"got 1 \(n_samples = 3\)"),
        (Whitening(), np.ones((3, 4)), "needs training pages that differ, got 3 equal ones"),
        (ExemplarSVM(C=0), PAGES, "C must be a positive number, got 0"),
        (ExemplarSVM(), np.zeros((3, 4)), "got 3 training pages, all without information"),
    ],
)
def test_bad_settings_and_pages(estimator, pages, message):
    with pytest.raises(ValueError, match=message):
        estimator.fit(pages)

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from dgmp.encoding import ExemplarSVM
from dgmp.encoding.exemplar_shares import squared_hinge_shares
from dgmp.encoding.page_descriptors import l2_normalize


def pages(seed, writers=8, each=3, width=60):
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(writers, width)), each, axis=0)
    return l2_normalize(centres + rng.normal(size=centres.shape) + 0.5)


def by_library(exemplar, negatives, C):
    svm = LinearSVC(C=C, class_weight="balanced", dual=False, tol=1e-12)
    svm.fit(np.vstack([exemplar, negatives]), [1] + [0] * len(negatives))
    return svm.coef_[0] / np.linalg.norm(svm.coef_)


@pytest.mark.parametrize("C", [1e-3, 0.1, 10.0, 1000.0])
@pytest.mark.parametrize("width", [5, 60])
def test_agrees_with_scikit_learn_on_full_vectors(C, width):
    train, test = pages(0, width=width), pages(1, writers=3, width=width)
    encoded = ExemplarSVM(C).fit(train).transform(test)
    for exemplar, row in zip(test, encoded, strict=True):
        np.testing.assert_allclose(row, by_library(exemplar, train, C), atol=1e-7)


def test_pages_of_the_own_group_are_no_negatives():
    train, names = pages(2), np.repeat(list("abcdefgh"), 3)
    svm = ExemplarSVM().fit(train, groups=names)
    encoded = svm.transform(train, groups=names)
    for page in (0, 7, 23):
        expected = by_library(train[page], train[names != names[page]], 10.0)
        np.testing.assert_allclose(encoded[page], expected, atol=1e-7)
    np.testing.assert_array_equal(ExemplarSVM().fit_transform(train, groups=names), encoded)
    # Of pages of other writers all are negatives.
    test = pages(3, writers=2)
    np.testing.assert_allclose(
        svm.transform(test, groups=["x"] * 6), ExemplarSVM().fit(train).transform(test), atol=1e-12
    )


def test_a_training_page_is_not_its_own_negative():
    train = pages(4)
    train[3] = 0
    encoded = ExemplarSVM().fit_transform(train)
    assert not encoded[3].any()
    others = np.delete(train, [3, 5], axis=0)
    np.testing.assert_allclose(encoded[5], by_library(train[5], others, 10.0), atol=1e-7)


def test_many_pages_are_encoded_in_blocks(monkeypatch):
    train, test = pages(5), pages(6)
    names = np.arange(24) // 3
    svm = ExemplarSVM().fit(train, groups=names)
    whole = svm.transform(test, groups=names)
    monkeypatch.setattr("dgmp.encoding.exemplar_svm._BLOCK", 5)
    np.testing.assert_allclose(svm.transform(test, groups=names), whole, atol=1e-12)


@pytest.mark.parametrize("C", [1e-4, 1.0, 100.0, 1e5])
@pytest.mark.parametrize("guess", [0, 1, 2])
def test_the_minimum_is_reached_from_every_guess(C, guess):
    # Overlapping classes, and more pages than dimensions: the set inside the margin changes a lot.
    rng = np.random.default_rng(7)
    x = rng.normal(size=(80, 12))
    signs = np.where(rng.random(80) < 0.3, 1.0, -1.0)
    costs = C * rng.uniform(0.1, 2, 80)
    costs[:5] = 0
    inside = [np.zeros(80, dtype=bool), np.ones(80, dtype=bool), rng.random(80) < 0.5][guess]
    shares, _ = squared_hinge_shares(x @ x.T, signs, costs, inside)
    w = shares @ x
    slack = np.maximum(0, 1 - signs * (x @ w))
    gradient = w - 2 * (costs * signs * slack) @ x
    assert np.abs(gradient).max() < 1e-9 * (1 + np.abs(2 * costs * slack) @ np.abs(x).max(axis=1))
    assert not shares[:5].any()


@pytest.mark.parametrize(
    ("fit", "transform", "message"),
    [
        ({"groups": [0, 1]}, {}, r"groups must be \(24,\), .* got shape \(2,\)"),
        ({"groups": [0] * 24}, {"groups": [1, 0] * 12}, "page 1 has no negatives"),
        ({"groups": [0] * 24}, {"groups": [1]}, r"groups must be \(24,\)"),
        ({"groups": [0] * 24}, {"groups": ["0"] * 24}, "groups must be of one kind"),
        ({}, {"groups": [0] * 24}, "not for the training pages: give both"),
    ],
)
def test_bad_groups(fit, transform, message):
    train = pages(8)
    with pytest.raises(ValueError, match=message):
        ExemplarSVM().fit(train, **fit).transform(train, **transform)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgmp.analysis.ensemble import average_probabilities, majority_vote


def softmax(logits):
    """Each row by itself, as it is written."""
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def models(seed, shape):
    return np.random.default_rng(seed).normal(scale=3, size=shape)


shapes = st.tuples(st.integers(1, 6), st.integers(1, 8), st.integers(1, 5))
seeds = st.integers(0, 2**32 - 1)


@given(seeds, shapes)
def test_average_agrees_with_the_oracle(seed, shape):
    logits = models(seed, shape)
    weights = np.random.default_rng(seed).uniform(1, 100, shape[0])
    expected = np.zeros(shape[1:])
    for weight, model in zip(weights, logits, strict=True):
        expected += weight * softmax(model)
    scores = average_probabilities(logits, weights)
    np.testing.assert_allclose(scores, expected / weights.sum(), atol=1e-12)
    np.testing.assert_allclose(scores.sum(axis=1), 1)


@given(seeds, shapes, st.floats(0.01, 100))
def test_units_of_the_weights_do_not_matter(seed, shape, unit):
    logits = models(seed, shape)
    weights = np.linspace(1, 2, shape[0])
    np.testing.assert_allclose(
        average_probabilities(logits, unit * weights), average_probabilities(logits, weights)
    )


def test_equal_or_absent_or_zero_weights_are_the_mean():
    logits = models(0, (3, 4, 5))
    expected = softmax(logits).mean(axis=0)
    for weights in (None, [80, 80, 80], [0, 0, 0]):
        np.testing.assert_allclose(average_probabilities(logits, weights), expected)


def test_a_model_without_weight_does_not_count():
    logits = models(1, (2, 4, 3))
    np.testing.assert_allclose(average_probabilities(logits, [0, 50]), softmax(logits[1]))


def test_logits_too_large_to_exponentiate():
    assert average_probabilities([[[1000.0, 1000.0]], [[0.0, -2000.0]]]).tolist() == [[0.75, 0.25]]


def test_weighted_unweighted_and_majority_differ():
    # Two models of three prefer class 0 a little, the third class 1 by far.
    logits = np.log([[[0.6, 0.4]], [[0.6, 0.4]], [[0.1, 0.9]]])
    assert majority_vote(logits).argmax(axis=1) == [0]
    assert average_probabilities(logits).argmax(axis=1) == [1]
    assert average_probabilities(logits, [90, 90, 10]).argmax(axis=1) == [0]


def test_a_constant_added_to_a_model_does_not_matter():
    logits = models(2, (2, 4, 3))
    moved = logits + np.array([1e4, -1e4])[:, None, None]
    np.testing.assert_allclose(average_probabilities(moved), average_probabilities(logits))


@given(seeds, shapes)
def test_majority_agrees_with_the_oracle(seed, shape):
    logits = models(seed, shape)
    predicted = majority_vote(logits).argmax(axis=1)
    for page in range(shape[1]):
        votes = [int(model[page].argmax()) for model in logits]
        most = max(votes.count(c) for c in range(shape[2]))
        tied = [c for c in range(shape[2]) if votes.count(c) == most]
        sums = softmax(logits)[:, page].sum(axis=0)
        assert predicted[page] == max(tied, key=lambda c: sums[c])


@pytest.mark.parametrize("combine", [average_probabilities, majority_vote])
def test_errors_of_the_logits(combine):
    with pytest.raises(ValueError, match=r"\(models, pages, classes\)"):
        combine(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="at least one each"):
        combine(np.zeros((0, 2, 3)))
    with pytest.raises(ValueError, match="logits of model 1 are not finite"):
        combine([[[0.0, 1.0]], [[0.0, np.nan]]])


def test_errors_of_the_weights():
    with pytest.raises(ValueError, match=r"weights must be \(2,\)"):
        average_probabilities(np.zeros((2, 1, 2)), [1, 2, 3])
    with pytest.raises(ValueError, match="finite and not negative"):
        average_probabilities(np.zeros((2, 1, 2)), [1, -1])

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgmp.analysis.randomization_test import holm, sign_flip_test


def generator():
    return np.random.default_rng(0)


def oracle(differences, groups):
    """Share of all signs of the writers at which the mean is as far from zero as it is."""
    writers = sorted(set(groups))
    as_far, count = 0, 0
    for signs in itertools.product([1, -1], repeat=len(writers)):
        sign = dict(zip(writers, signs, strict=True))
        turned = sum(sign[g] * d for d, g in zip(differences, groups, strict=True))
        as_far += abs(turned) >= abs(sum(differences))
        count += 1
    return as_far / count


# Whole numbers are exact: equal sums, which decide on p, are equal.
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdefg"), st.integers(-3, 3)), min_size=1, max_size=20))
def test_all_signs_agree_with_the_oracle(rows):
    groups, differences = zip(("a", 1), *rows, ("b", 0), strict=True)
    expected = oracle(differences, groups)
    assert sign_flip_test(differences, groups, rng=generator()) == pytest.approx(expected)


def test_drawn_signs_come_near_all_signs():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(12), 3)
    differences = rng.normal(0.5, 1, 12)[groups] + rng.normal(0, 0.2, 36)
    exact = sign_flip_test(differences, groups, rng=generator())
    drawn = sign_flip_test(differences, groups, rng=generator(), resamples=4000)
    assert exact == pytest.approx(oracle(differences, groups.tolist()))
    assert drawn != exact
    # Four standard errors, p being twice the smaller of two shares.
    assert drawn == pytest.approx(exact, abs=8 * np.sqrt(exact / 2 / 4000))
    again = sign_flip_test(differences, groups, rng=generator(), resamples=4000)
    assert drawn == again


def test_p_is_never_zero():
    groups = np.arange(100)
    assert sign_flip_test(np.ones(100), groups, rng=generator(), resamples=99) == 2 / 100
    assert sign_flip_test(np.ones(5), groups[:5], rng=generator()) == 2 / 2**5
    assert sign_flip_test(np.zeros(30), groups[:30], rng=generator()) == 1


@pytest.mark.parametrize("writers", [8, 30])
def test_level_with_writers_and_not_with_pages(writers):
    # No difference in the mean, but writers who differ. 400 samples, within three standard errors.
    rng = np.random.default_rng(writers)
    rejected = {"writers": 0, "pages": 0}
    groups = np.repeat(np.arange(writers), 5)
    for _ in range(400):
        differences = rng.standard_t(4, writers)[groups] + rng.normal(0, 0.3, len(groups))
        for name, own in (("writers", groups), ("pages", np.arange(len(groups)))):
            rejected[name] += sign_flip_test(differences, own, rng=rng, resamples=199) <= 0.05
    assert 0.02 <= rejected["writers"] / 400 <= 0.083
    assert rejected["pages"] / 400 > 0.2  # why the signs are the writers'


def test_power():
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(30), 5)
    differences = rng.normal(0.5, 0.5, 30)[groups] + rng.normal(0, 0.3, 150)
    assert sign_flip_test(differences, groups, rng=rng) < 0.001


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 9))
def test_exchanging_the_systems_does_not_matter(seed, writers):
    differences = np.random.default_rng(seed).normal(size=writers)
    p = sign_flip_test(differences, np.arange(writers), rng=generator())
    assert p == pytest.approx(sign_flip_test(-differences, np.arange(writers), rng=generator()))


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_agrees_with_the_oracle(p_values):
    # Rejected at a level by the stepwise procedure, as long as the adjusted p is at most it.
    adjusted = holm(p_values)
    m = len(p_values)
    order = sorted(range(m), key=lambda i: p_values[i])
    for level in [*adjusted.tolist(), 0.01, 0.05, 0.5]:
        if level >= 1:
            continue
        rejected = set()
        for step, i in enumerate(order):
            if p_values[i] * (m - step) > level:
                break
            rejected.add(i)
        assert rejected == set(np.flatnonzero(adjusted <= level).tolist())


def test_holm_keeps_the_rate_of_any_error():
    # Six poolings compared with one average: the differences depend on each other.
    rng = np.random.default_rng(3)
    errors = {"holm": 0, "none": 0}
    for _ in range(300):
        scores = rng.normal(size=(7, 12))
        p = [
            sign_flip_test(one - scores[0], np.arange(12), rng=rng, resamples=199)
            for one in scores[1:]
        ]
        errors["holm"] += holm(p).min() <= 0.05
        errors["none"] += min(p) <= 0.05
    assert errors["holm"] / 300 <= 0.088
    assert errors["none"] / 300 > 0.1


def test_errors():
    with pytest.raises(ValueError, match="do not match groups"):
        sign_flip_test([1.0, 2.0], ["a"], rng=generator())
    with pytest.raises(ValueError, match="value 0 is not finite"):
        sign_flip_test([np.nan, 2.0], ["a", "b"], rng=generator())
    with pytest.raises(ValueError, match="at least two groups"):
        sign_flip_test([1.0, 2.0], ["a", "a"], rng=generator())
    for wrong in ([0.5, 1.5], [[0.5]], [np.nan], [-0.1]):
        with pytest.raises(ValueError, match=r"p-values must be \(m,\) in \[0, 1\]"):
            holm(wrong)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from dgmp.analysis.bootstrap import bootstrap_interval, group_sums
from dgmp.metrics.retrieval import evaluate_retrieval


def generator():
    return np.random.default_rng(0)


def drawn(rng, writers):
    """Average precisions of several pages a writer, who are alike, and their writers' numbers."""
    groups = np.repeat(np.arange(writers), rng.integers(2, 7, writers))
    return rng.beta(2, 1, writers)[groups] + rng.normal(0, 0.1, len(groups)), groups


def oracle(values, groups, resamples, confidence):
    """BCa word by word (Efron and Tibshirani 1993, equations 14.9 to 14.15)."""
    rng = np.random.default_rng(1)
    writers = sorted(set(groups))
    lists = [[v for v, g in zip(values, groups, strict=True) if g == w] for w in writers]

    def pooled(chosen):
        pages = [value for i in chosen for value in lists[i]]
        return sum(pages) / len(pages)

    every = range(len(lists))
    observed = pooled(every)
    means = sorted(pooled(rng.integers(0, len(lists), len(lists))) for _ in range(resamples))
    bias = norm.ppf(np.mean([(m < observed) + 0.5 * (m == observed) for m in means]))
    left_out = [pooled([i for i in every if i != j]) for j in every]
    lean = np.mean(left_out) - np.array(left_out)
    acceleration = np.sum(lean**3) / (6 * np.sum(lean**2) ** 1.5)

    def bound(share):
        z = bias + norm.ppf(share)
        return np.quantile(means, norm.cdf(bias + z / (1 - acceleration * z)))

    return bound((1 - confidence) / 2), bound((1 + confidence) / 2)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_agrees_with_the_oracle(confidence):
    values, groups = drawn(np.random.default_rng(3), 12)
    found = bootstrap_interval(
        values, groups, rng=generator(), confidence=confidence, resamples=20000
    )
    expected = oracle(values.tolist(), groups.tolist(), 20000, confidence)
    np.testing.assert_allclose(found, expected, atol=0.01 * np.ptp(expected) + 0.002)


@pytest.mark.parametrize(("writers", "least"), [(20, 0.9), (48, 0.92)])
def test_coverage_of_writers_and_not_of_pages(writers, least):
    # Two thirds is the mean of Beta(2, 1). Within three standard errors of 300 samples.
    rng = np.random.default_rng(writers)
    held = {"writers": 0, "pages": 0}
    for _ in range(300):
        values, groups = drawn(rng, writers)
        for name, own in (("writers", groups), ("pages", np.arange(len(groups)))):
            low, high = bootstrap_interval(values, own, rng=rng, resamples=499)
            held[name] += low <= 2 / 3 <= high
    assert least <= held["writers"] / 300 <= 0.98
    assert held["pages"] / 300 < 0.8  # why pages are not drawn


def test_coverage_of_retrieval_whose_gallery_changes_too():
    # The interval holds the gallery fixed, so that it is too narrow, but far less than of pages.
    rng = np.random.default_rng(0)

    def retrieval():
        writers = np.repeat(np.arange(24), 5)
        points = rng.normal(size=(24, 6))[writers] + 1.3 * rng.normal(size=(120, 6))
        return 100 * evaluate_retrieval(points, writers).average_precision, writers

    population = np.mean([retrieval()[0] for _ in range(400)])
    held = {"writers": 0, "pages": 0}
    for _ in range(150):
        values, writers = retrieval()
        for name, own in (("writers", writers), ("pages", np.arange(120))):
            low, high = bootstrap_interval(values, own, rng=rng, resamples=499)
            held[name] += low <= population <= high
    assert 0.82 <= held["writers"] / 150 <= 0.98
    assert held["pages"] / 150 < 0.8


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 9))
def test_bounds_hold_the_mean_and_lie_within_the_values(seed, writers):
    values, groups = drawn(np.random.default_rng(seed), writers)
    low, high = bootstrap_interval(values, groups, rng=generator(), resamples=999)
    assert values.min() <= low <= values.mean() <= high <= values.max()


def test_order_of_the_queries_and_names_of_the_writers_do_not_matter():
    values, groups = drawn(np.random.default_rng(4), 9)
    order = np.random.default_rng(5).permutation(len(values))
    names = np.array([f"writer {g}" for g in groups])
    expected = bootstrap_interval(values, groups, rng=generator(), resamples=999)
    found = bootstrap_interval(values[order], names[order], rng=generator(), resamples=999)
    np.testing.assert_allclose(found, expected)


def test_a_wider_interval_for_more_confidence_and_the_same_for_the_same_seed():
    values, groups = drawn(np.random.default_rng(6), 15)
    first, again, wide = (
        bootstrap_interval(values, groups, rng=generator(), confidence=c) for c in (0.9, 0.9, 0.99)
    )
    assert first == again
    assert wide.low < first.low < first.high < wide.high


def test_equal_groups_have_an_interval_of_no_width():
    found = bootstrap_interval([1, 0, 1, 0, 1, 0], list("aabbcc"), rng=generator())
    assert found == (0.5, 0.5)
    assert bootstrap_interval([0.0] * 4, list("aabb"), rng=generator()) == (0, 0)
    tenths = bootstrap_interval([0.1, 0.2, 0.3] * 2, list("aaabbb"), rng=generator())
    assert tenths == pytest.approx((0.2, 0.2))


def test_one_page_wrong_in_a_thousand():
    low, high = bootstrap_interval([0.0] + [1.0] * 999, np.arange(1000), rng=generator())
    assert 0.99 < low < 0.999 < high <= 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-5, 5)), min_size=1, max_size=12))
def test_sums_agree_with_the_oracle(rows):
    groups = [name for name, _ in rows]
    sums, counts = group_sums([value for _, value in rows], groups)
    names = sorted(set(groups))
    assert sums.tolist() == [sum(v for name, v in rows if name == wanted) for wanted in names]
    assert counts.tolist() == [groups.count(wanted) for wanted in names]


@pytest.mark.parametrize(
    ("values", "groups", "options", "message"),
    [
        ([1.0, 2.0], ["a"], {}, r"shape \(2,\) do not match groups of shape \(1,\)"),
        ([], [], {}, "n at least 1"),
        ([[1.0]], [["a"]], {}, r"wanted \(n,\) both"),
        ([1.0, np.nan], ["a", "b"], {}, "value 1 is not finite: leave out queries"),
        ([1.0, 2.0], ["a", "a"], {}, "at least two groups"),
        ([1.0, 2.0], ["a", "b"], {"confidence": 95}, "between 0 and 1, got 95"),
    ],
)
def test_errors(values, groups, options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(values, groups, rng=generator(), **options)

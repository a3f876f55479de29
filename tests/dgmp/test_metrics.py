import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    confusion_matrix,
    recall_score,
)

import dgmp.metrics
from dgmp.metrics import (
    accuracy_of_whole_batches,
    evaluate_classification,
    evaluate_ranking,
    evaluate_retrieval,
)


def oracle(distances, labels):
    """Equation 10 word by word: average precision (None without a relevant page), top-1 hit."""
    scores = []
    for query in range(len(labels)):
        gallery = [page for page in range(len(labels)) if page != query]
        ranking = sorted(gallery, key=lambda page: (distances[query][page], page))
        relevance = [labels[page] == labels[query] for page in ranking]
        if not any(relevance):
            scores.append(None)
            continue
        precisions = [sum(relevance[:r]) / r for r in range(1, len(ranking) + 1)]
        total = sum(p for p, hit in zip(precisions, relevance, strict=True) if hit)
        scores.append((total / sum(relevance), relevance[0]))
    return scores


def squared_distances(points):
    return [[sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) for q in points] for p in points]


def assert_agrees(scores, expected):
    scored = [one for one in expected if one is not None]
    assert scores.queries == len(scored)
    assert scores.queries_without_relevant == len(expected) - len(scored)
    for precision, hit, one in zip(
        scores.average_precision, scores.top1_hits, expected, strict=True
    ):
        if one is None:
            assert np.isnan(precision)
            assert not hit
        else:
            assert precision == pytest.approx(one[0])
            assert hit == one[1]
    mean = sum(precision for precision, _ in scored) / len(scored)
    assert scores.mean_average_precision == pytest.approx(100 * mean)
    assert scores.top1 == pytest.approx(100 * sum(hit for _, hit in scored) / len(scored))


# Few values, few labels: ties, duplicates and singletons are the rule. Halves are exact.
@st.composite
def pages(draw):
    n = draw(st.integers(2, 12))
    points = draw(hnp.arrays(np.float64, (n, 2), elements=st.integers(-2, 2).map(lambda x: x / 2)))
    labels = draw(st.lists(st.sampled_from("abcde"), min_size=n, max_size=n))
    return points, labels


@given(pages())
def test_retrieval_agrees_with_the_oracle(case):
    points, labels = case
    if len(set(labels)) == len(labels):
        with pytest.raises(ValueError, match="no label occurs twice"):
            evaluate_retrieval(points, labels)
        return
    expected = oracle(squared_distances(points.tolist()), labels)
    assert_agrees(evaluate_retrieval(points, labels), expected)
    assert_agrees(evaluate_ranking(squared_distances(points.tolist()), labels), expected)


@given(st.data(), st.integers(2, 9))
def test_ranking_agrees_with_the_oracle(data, n):
    values = st.sampled_from([-1.0, 0.0, 0.5, 1.0, np.inf])
    distances = data.draw(hnp.arrays(np.float64, (n, n), elements=values))
    labels = [0, 0, *data.draw(st.lists(st.integers(0, 3), min_size=n - 2, max_size=n - 2))]
    assert_agrees(evaluate_ranking(distances, labels), oracle(distances.tolist(), labels))


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(3, 30))
def test_retrieval_agrees_with_scikit_learn_without_ties(seed, n):
    rng = np.random.default_rng(seed)
    points, labels = rng.normal(size=(n, 5)), rng.integers(0, 3, n)
    labels[:2] = 0
    scores = evaluate_retrieval(points, labels)
    for query in range(n):
        others = np.arange(n) != query
        relevant = labels[others] == labels[query]
        distances = np.sum((points[others] - points[query]) ** 2, axis=1)
        if relevant.any():
            expected = average_precision_score(relevant, -distances)
            assert scores.average_precision[query] == pytest.approx(expected)


@pytest.mark.parametrize("distance", ["sqeuclidean", "cosine"])
@pytest.mark.parametrize("rows", [1, 7])
def test_blocks_change_nothing(monkeypatch, distance, rows):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(40, 6)).astype(np.float32)
    points[10:20] = points[5]  # duplicates: ties that rounding must not break
    labels = rng.integers(0, 6, 40)
    whole = evaluate_retrieval(points, labels, distance=distance)
    monkeypatch.setattr(dgmp.metrics, "_BLOCK_BYTES", rows * 8 * 31)
    blocks = evaluate_retrieval(points, labels, distance=distance)
    np.testing.assert_array_equal(whole.average_precision, blocks.average_precision)


def test_duplicates_are_ranked_by_position():
    # 700 copies of one page: all distances are zero, whatever the matrix product rounds to.
    rng = np.random.default_rng(1)
    points = np.tile(rng.normal(size=(1, 300)) * 1e3, (700, 1))
    labels = rng.integers(0, 50, 700)
    labels[:2] = 0
    expected = evaluate_ranking(np.zeros((700, 700)), labels)
    scores = evaluate_retrieval(points, labels)
    np.testing.assert_array_equal(scores.average_precision, expected.average_precision)


def test_a_query_that_does_not_rank_first_is_still_masked():
    # The authors' evaluation drops rank one; here the query is the farthest page of its own row.
    distances = np.array([[9.0, 1, 2], [1, 9, 2], [1, 2, 9]])
    scores = evaluate_ranking(distances, ["a", "a", "b"])
    assert scores.average_precision[:2].tolist() == [1, 1]
    assert scores.top1 == 100


def test_the_diagonal_does_not_matter():
    rng = np.random.default_rng(2)
    distances, labels = rng.random((12, 12)), rng.integers(0, 4, 12)
    labels[:2] = 0
    expected = evaluate_ranking(distances, labels)
    for value in (-1.0, np.inf, np.nan):
        np.fill_diagonal(distances, value)
        scores = evaluate_ranking(distances, labels)
        np.testing.assert_array_equal(scores.average_precision, expected.average_precision)


def test_cosine_ignores_length():
    rng = np.random.default_rng(3)
    points, labels = rng.normal(size=(20, 4)), rng.integers(0, 4, 20)
    lengths = 2.0 ** rng.integers(-3, 4, (20, 1))
    expected = evaluate_retrieval(points, labels, distance="cosine")
    scores = evaluate_retrieval(points * lengths, labels, distance="cosine")
    np.testing.assert_array_equal(scores.average_precision, expected.average_precision)


@pytest.mark.parametrize(
    ("descriptors", "labels", "message"),
    [
        (np.zeros(3), ["a"] * 3, r"must be \(pages, D\), got shape \(3,\)"),
        (np.zeros((3, 2)), ["a"] * 2, r"labels must be \(3,\)"),
        (np.zeros((1, 2)), ["a"], "at least two pages, got 1"),
        ([[0.0], [np.nan], [np.inf]], ["a"] * 3, "descriptor of page 1 is not finite"),
        (np.zeros((2, 2)), ["a", "b"], "no label occurs twice"),
    ],
)
def test_retrieval_errors(descriptors, labels, message):
    with pytest.raises(ValueError, match=message):
        evaluate_retrieval(descriptors, labels)


def test_more_retrieval_errors():
    with pytest.raises(ValueError, match="descriptor of page 1 is zero"):
        evaluate_retrieval([[1.0, 0], [0, 0]], ["a", "a"], distance="cosine")
    with pytest.raises(ValueError, match="'sqeuclidean' or 'cosine', got 'l2'"):
        evaluate_retrieval([[1.0, 0], [0, 0]], ["a", "a"], distance="l2")
    with pytest.raises(ValueError, match="square"):
        evaluate_ranking(np.zeros((2, 3)), ["a", "a"])
    with pytest.raises(ValueError, match="distance of query 1 to page 0 is not a number"):
        evaluate_ranking([[0.0, 1.0], [np.nan, 0.0]], ["a", "a"])


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 5))
def test_classification_agrees_with_scikit_learn(seed, n, c):
    rng = np.random.default_rng(seed)
    classes = np.array([f"class {i}" for i in range(c)])
    labels = rng.choice(classes, n)
    logits = rng.normal(size=(n, c)).astype(np.float32)
    scores = evaluate_classification(logits, labels, classes)
    predicted = classes[logits.argmax(axis=1)]
    present = np.isin(classes, labels)
    assert scores.accuracy == pytest.approx(100 * np.mean(predicted == labels))
    with warnings.catch_warnings():  # scikit-learn warns of classes without a page
        warnings.simplefilter("ignore")
        confusion = confusion_matrix(labels, predicted, labels=classes)
        balanced = balanced_accuracy_score(labels, predicted)
        recall = recall_score(labels, predicted, labels=classes, average=None, zero_division=0)
    np.testing.assert_array_equal(scores.confusion, confusion)
    assert scores.balanced_accuracy == pytest.approx(100 * balanced)
    np.testing.assert_allclose(scores.recall[present], 100 * recall[present])
    assert np.isnan(scores.recall[~present]).all()


@pytest.mark.parametrize(
    ("logits", "labels", "classes", "message"),
    [
        (np.zeros((2, 2)), ["a"], ["a", "b"], "do not match labels of shape"),
        (np.zeros((2, 3)), ["a", "b"], ["a", "b"], r"wanted \(pages, classes\)"),
        (np.zeros((0, 2)), [], ["a", "b"], "no pages"),
        ([[0.0, np.nan]], ["a"], ["a", "b"], "a logit of page 0 is not finite"),
        (np.zeros((1, 2)), ["a"], ["a", "a"], "must differ"),
        (np.zeros((1, 2)), ["c"], ["a", "b"], "'c' is not one of the classes"),
    ],
)
def test_classification_errors(logits, labels, classes, message):
    with pytest.raises(ValueError, match=message):
        evaluate_classification(logits, labels, classes)


@pytest.mark.parametrize(("pages", "seen", "highest"), [(204, 196, 96.1), (361, 336, 93.1)])
def test_oracle_accuracy_of_the_authors_validation(pages, seen, highest):
    classes = np.array(list("abcdefghijkl"))
    labels = np.sort(np.random.default_rng(0).choice(classes, pages))
    right = np.eye(12)[np.searchsorted(classes, labels)]
    found = accuracy_of_whole_batches(right, labels, classes, batch=28)
    assert found == pytest.approx(highest, abs=0.05)
    assert found == pytest.approx(100 * seen / pages)
    # What the last batch says does not matter; what the others say does.
    logits = np.random.default_rng(1).normal(size=(pages, 12)) + right
    batches = [slice(start, start + 28) for start in range(0, pages - 27, 28)]
    hits = sum((classes[logits[b].argmax(axis=1)] == labels[b]).sum() for b in batches)
    expected = 100 * hits / pages
    assert accuracy_of_whole_batches(logits, labels, classes, batch=28) == pytest.approx(expected)
    logits[seen:] = 0
    assert accuracy_of_whole_batches(logits, labels, classes, batch=28) == pytest.approx(expected)


def test_cosine_is_squared_distance_of_normalised_descriptors():
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(30, 4)) * rng.uniform(0.1, 3, (30, 1)), np.arange(30) % 6
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    cosine = evaluate_retrieval(points, labels, distance="cosine")
    renormalised = evaluate_retrieval(unit, labels)
    np.testing.assert_allclose(cosine.average_precision, renormalised.average_precision)
    assert (
        cosine.mean_average_precision != evaluate_retrieval(points, labels).mean_average_precision
    )

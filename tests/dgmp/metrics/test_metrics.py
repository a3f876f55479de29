import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    confusion_matrix,
    recall_score,
)

import dgmp.metrics.distances
from dgmp.analysis.nearest_pages import nearest
from dgmp.metrics import (
    accuracy_of_whole_batches,
    evaluate_classification,
    evaluate_ranking,
    evaluate_retrieval,
)

KS = range(1, 11)


def oracle(distances, labels):
    """The relevance of each query's whole ranking; None without a relevant page."""
    rankings = []
    for query in range(len(labels)):
        gallery = [page for page in range(len(labels)) if page != query]
        ranking = sorted(gallery, key=lambda page: (distances[query][page], page))
        relevance = [labels[page] == labels[query] for page in ranking]
        rankings.append(relevance if any(relevance) else None)
    return rankings


def average_precision(relevance):
    """Equation 10 word by word."""
    precisions = [sum(relevance[:r]) / r for r in range(1, len(relevance) + 1)]
    hits = [p for p, hit in zip(precisions, relevance, strict=True) if hit]
    return sum(hits) / sum(relevance)


def soft(relevance, k):
    return any(relevance[:k])


def hard(relevance, k):
    """As in the competitions: a writer with fewer than k other pages cannot be right."""
    return sum(relevance[:k]) == k


def precision(relevance, k):
    return sum(relevance[:k]) / k


def squared_distances(points):
    return [[sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) for q in points] for p in points]


def assert_agrees(scores, rankings):
    scored = [relevance for relevance in rankings if relevance is not None]

    def mean(score):
        return pytest.approx(100 * sum(map(score, scored)) / len(scored))

    assert scores.queries == len(scored)
    assert scores.queries_without_relevant == len(rankings) - len(scored)
    for found, hit, relevance in zip(
        scores.average_precision, scores.top1_hits, rankings, strict=True
    ):
        if relevance is None:
            assert np.isnan(found)
            assert not hit
        else:
            assert found == pytest.approx(average_precision(relevance))
            assert hit == relevance[0]
    assert scores.mean_average_precision == mean(average_precision)
    assert scores.top1 == mean(lambda relevance: relevance[0])
    for k in KS:
        assert scores.soft_top(k) == mean(lambda relevance, k=k: soft(relevance, k))
        assert scores.hard_top(k) == mean(lambda relevance, k=k: hard(relevance, k))
        assert scores.precision_at(k) == mean(lambda relevance, k=k: precision(relevance, k))


# Few values, few labels: ties, duplicates and singletons are the rule. Halves are exact.
@st.composite
def pages(draw):
    n = draw(st.integers(2, 12))
    points = draw(hnp.arrays(np.float64, (n, 2), elements=st.integers(-2, 2).map(lambda x: x / 2)))
    labels = draw(st.lists(st.sampled_from("abcde"), min_size=n, max_size=n))
    return points, labels


@given(pages())
@example((np.zeros((5, 2)), list("aabbc")))  # all pages the same
@example((np.arange(8.0).reshape(4, 2), list("aaaa")))  # one class
@example((np.ones((2, 2)), list("aa")))  # two pages
@example((np.arange(6.0).reshape(3, 2), list("abc")))  # singletons alone
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


# Cut at less than k = n - 1 the reference's mean average precision would be another.
@pytest.mark.parametrize(("writers", "pages_each"), [(2, 40), (12, 5), (60, 2)])
def test_retrieval_agrees_with_pytorch_metric_learning(writers, pages_each):
    rng = np.random.default_rng(writers)
    labels = rng.permutation(np.repeat(np.arange(writers), pages_each))
    points = (rng.normal(size=(len(labels), 6)) + np.eye(writers, 6)[labels]).astype(np.float32)
    calculator = AccuracyCalculator(
        include=("mean_average_precision", "precision_at_1"),
        k=len(labels) - 1,
        device=torch.device("cpu"),
        knn_func=CustomKNN(LpDistance(normalize_embeddings=False, power=2)),
    )
    expected = calculator.get_accuracy(torch.from_numpy(points), torch.from_numpy(labels))
    scores = evaluate_retrieval(points, labels)
    found = scores.mean_average_precision / 100
    assert found == pytest.approx(expected["mean_average_precision"], abs=1e-6)
    assert scores.top1 / 100 == pytest.approx(expected["precision_at_1"], abs=1e-6)


@pytest.mark.parametrize("distance", ["sqeuclidean", "cosine"])
@pytest.mark.parametrize("rows", [1, 7])
def test_blocks_change_nothing(monkeypatch, distance, rows):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(40, 6)).astype(np.float32)
    points[10:20] = points[5]  # duplicates: ties that rounding must not break
    labels = rng.integers(0, 6, 40)
    whole = evaluate_retrieval(points, labels, distance=distance)
    monkeypatch.setattr(dgmp.metrics.distances, "_BLOCK_BYTES", rows * 8 * 31)
    blocks = evaluate_retrieval(points, labels, distance=distance)
    np.testing.assert_array_equal(whole.average_precision, blocks.average_precision)


def test_memory_grows_with_the_pages_and_not_with_their_square(monkeypatch):
    monkeypatch.setattr(dgmp.metrics.distances, "_BLOCK_BYTES", 2**20)
    rng = np.random.default_rng(6)
    points, labels = rng.normal(size=(3000, 4)), np.repeat(np.arange(1000), 3)
    tracemalloc.start()
    evaluate_retrieval(points, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 3000**2 / 10  # a tenth of the matrix of distances


def test_duplicates_are_ranked_by_position():
    # 700 copies of one page: all distances are zero, whatever the matrix product rounds to.
    rng = np.random.default_rng(1)
    points = np.tile(rng.normal(size=(1, 300)) * 1e3, (700, 1))
    labels = rng.integers(0, 50, 700)
    labels[:2] = 0
    expected = evaluate_ranking(np.zeros((700, 700)), labels)
    scores = evaluate_retrieval(points, labels)
    np.testing.assert_array_equal(scores.average_precision, expected.average_precision)


@pytest.mark.parametrize("width", [2, 3, 5, 7, 8, 13, 31, 64, 100])
@pytest.mark.parametrize("distance", ["sqeuclidean", "cosine"])
def test_equal_pages_are_ranked_by_position_whatever_their_place(distance, width):
    # 40 pages of five descriptors, of signed zeros too; all rankings follow from the copies.
    rng = np.random.default_rng(width)
    five = rng.normal(size=(5, width)) * 10.0 ** rng.integers(-2, 3, (5, 1))
    five[0, : width // 2] = 0
    copy = rng.integers(0, 5, 40)
    points = five[copy]
    points[::2][points[::2] == 0] = -0.0
    labels = rng.integers(0, 6, 40)
    exact = np.empty((5, 5))
    for i, j in np.ndindex(5, 5):
        p, q = (v / np.sqrt(v @ v) if distance == "cosine" else v for v in (five[i], five[j]))
        exact[i, j] = ((p - q) ** 2).sum()
    expected = evaluate_ranking(exact[copy][:, copy], labels)
    scores = evaluate_retrieval(points, labels, distance=distance)
    np.testing.assert_array_equal(scores.average_precision, expected.average_precision)
    np.testing.assert_array_equal(scores.relevance, expected.relevance)


def test_lengths_that_are_powers_of_two_make_no_difference_to_ties():
    rng = np.random.default_rng(8)
    points = np.repeat(rng.normal(size=(4, 33)), 25, axis=0)
    labels = rng.integers(0, 9, 100)
    expected = evaluate_retrieval(points, labels, distance="cosine")
    lengths = 2.0 ** rng.integers(-3, 4, (100, 1))
    scores = evaluate_retrieval(points * lengths, labels, distance="cosine")
    np.testing.assert_array_equal(scores.average_precision, expected.average_precision)


def test_pages_that_stand_alone_are_no_queries_but_stay_in_the_galleries():
    # The page alone of its label lies between the others.
    scores = evaluate_retrieval([[0.0], [1.0], [3.0]], ["a", "b", "a"])
    np.testing.assert_array_equal(scores.average_precision, [0.5, np.nan, 0.5])
    assert scores.relevance[:, :3].tolist() == [[0, 1, 0], [0, 0, 0], [0, 1, 0]]
    assert (scores.queries, scores.queries_without_relevant) == (2, 1)


def test_kept_ranks():
    rng = np.random.default_rng(9)
    points, labels = rng.normal(size=(30, 3)), np.repeat(np.arange(6), 5)
    few, many = evaluate_retrieval(points, labels, depth=2), evaluate_retrieval(points, labels)
    assert (few.relevance.shape, many.relevance.shape) == ((30, 2), (30, 10))
    assert (few.soft_top(2), few.hard_top(2)) == (many.soft_top(2), many.hard_top(2))
    assert evaluate_retrieval(points, labels, depth=40).precision_at(40) == pytest.approx(10)
    for k in (0, 3):
        with pytest.raises(ValueError, match=rf"k must be from 1 to 2.*, got {k}: evaluate with"):
            few.hard_top(k)
    with pytest.raises(ValueError, match="depth must be at least 1, got 0"):
        evaluate_ranking(np.zeros((2, 2)), ["a", "a"], depth=0)


@given(pages())
def test_order_of_the_scores(case):
    points, labels = case
    labels = [labels[0], labels[0], *labels[2:]]
    scores = evaluate_retrieval(points, labels)
    assert scores.soft_top(1) == scores.hard_top(1) == scores.precision_at(1) == scores.top1
    for k in range(2, 11):
        assert scores.soft_top(k) >= scores.soft_top(k - 1)
        assert scores.hard_top(k) <= scores.hard_top(k - 1)
        assert scores.hard_top(k) - 1e-9 <= scores.precision_at(k) <= scores.soft_top(k) + 1e-9


def test_the_matrix_given_is_left_alone():
    distances = np.random.default_rng(4).random((6, 6))
    before = distances.copy()
    evaluate_ranking(distances, list("aabbcc"))
    np.testing.assert_array_equal(distances, before)
    points = np.ones((4, 2))
    evaluate_retrieval(points, list("aabb"), distance="cosine")
    np.testing.assert_array_equal(points, np.ones((4, 2)))


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
    "kind", [torch.tensor, pd.DataFrame, np.ma.masked_array, np.ndarray.tolist]
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_descriptors_in_other_kinds_of_arrays(kind, dtype):
    points = np.random.default_rng(4).normal(size=(12, 3), scale=9).astype(dtype)
    labels = np.arange(12) % 4
    expected = evaluate_retrieval(points, labels)
    scores = evaluate_retrieval(kind(points), labels)
    np.testing.assert_array_equal(scores.average_precision, expected.average_precision)
    for found, same in zip(nearest(kind(points), 3), nearest(points, 3), strict=True):
        np.testing.assert_array_equal(found, same)


@pytest.mark.parametrize(
    ("descriptors", "labels", "message"),
    [
        (np.zeros((3, 2)), ["a"] * 2, r"labels must be \(3,\)"),
        (np.zeros((1, 2)), ["a"], "at least two pages, got 1"),
        (np.zeros(3), ["a"] * 3, r"real numbers \(pages, D\), got float64 of shape \(3,\)"),
        ([["x"], ["y"]], ["a"] * 2, "real numbers .* got <U1"),
        (np.ma.masked_equal([[0.0], [1.0]], 1), ["a"] * 2, "masked values: fill them, or leave"),
        ([[0.0], [np.nan], [np.inf]], ["a"] * 3, "descriptor of page 1 is not finite"),
        (np.zeros((4, 2)), [1, 1, np.nan, np.nan], r"page 2 is missing, nan \(2 of 4 pages"),
        (np.zeros((3, 2)), ["a", None, "a"], "label of page 1 is missing, None"),
        (np.zeros((2, 2)), np.array(["a", 1], object), "one kind, .* got int, str"),
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
    with pytest.raises(ValueError, match="descriptor of page 1 is too long"):
        evaluate_retrieval([[1.0, 0], [1e200, 0]], ["a", "a"])
    with pytest.raises(ValueError, match="square"):
        evaluate_ranking(np.zeros((2, 3)), ["a", "a"])
    with pytest.raises(ValueError, match="distance of query 1 to page 0 is not a number"):
        evaluate_ranking([[0.0, 1.0], [np.nan, 0.0]], ["a", "a"])


def classification_oracle(logits, labels, classes):
    """Accuracy, balanced accuracy, recalls and counts, page by page."""
    predicted = [classes[max(range(len(classes)), key=row.__getitem__)] for row in logits]
    pairs = list(zip(labels, predicted, strict=True))
    counts = [[pairs.count((true, other)) for other in classes] for true in classes]
    recalls = [100 * row[i] / sum(row) if sum(row) else None for i, row in enumerate(counts)]
    found = [recall for recall in recalls if recall is not None]
    right = sum(true == other for true, other in pairs)
    return 100 * right / len(pairs), sum(found) / len(found), recalls, counts


one_class = pytest.mark.filterwarnings("ignore:A single label was found")


@one_class
@settings(deadline=None)
@given(st.data(), st.integers(1, 12), st.integers(1, 4))
def test_classification_agrees_with_the_oracle(data, n, c):
    # Whole numbers: equal largest logits are the rule, and classes without a page.
    logits = data.draw(hnp.arrays(np.int64, (n, c), elements=st.integers(-1, 1)))
    classes = list("abcd")[:c]
    labels = data.draw(st.lists(st.sampled_from(classes), min_size=n, max_size=n))
    accuracy, balanced, recalls, counts = classification_oracle(logits.tolist(), labels, classes)
    scores = evaluate_classification(logits, labels, classes)
    assert scores.accuracy == pytest.approx(accuracy)
    assert scores.balanced_accuracy == pytest.approx(balanced)
    assert scores.recall.tolist() == pytest.approx(
        [np.nan if recall is None else recall for recall in recalls], nan_ok=True
    )
    assert scores.confusion.tolist() == counts
    assert scores.right.sum() == np.trace(scores.confusion)


@one_class
@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 5))
def test_classification_agrees_with_scikit_learn(seed, n, c):
    rng = np.random.default_rng(seed)
    classes = np.array([f"class {i}" for i in range(c)])
    labels = rng.choice(classes, n)
    logits = rng.normal(size=(n, c)).astype(np.float32)
    scores = evaluate_classification(logits, labels, classes)
    predicted = classes[logits.argmax(axis=1)]
    present = np.isin(classes, labels)
    assert scores.accuracy == pytest.approx(100 * accuracy_score(labels, predicted))
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

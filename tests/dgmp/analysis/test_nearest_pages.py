import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dgmp.analysis.nearest_pages import nearest, nearest_by_faiss
from dgmp.metrics import evaluate_retrieval


@st.composite
def cases(draw):
    n = draw(st.integers(2, 10))
    points = draw(hnp.arrays(np.float64, (n, 2), elements=st.integers(-2, 2).map(lambda x: x / 2)))
    return points, draw(st.integers(1, n - 1))


@given(cases())
def test_agrees_with_the_oracle(case):
    points, k = case
    pages, distances = nearest(points, k)
    assert pages.shape == distances.shape == (len(points), k)
    for query, p in enumerate(points.tolist()):
        squared = [sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) for q in points.tolist()]
        others = [page for page in range(len(points)) if page != query]
        expected = sorted(others, key=lambda page: (squared[page], page))[:k]
        assert pages[query].tolist() == expected
        assert distances[query].tolist() == [squared[page] for page in expected]


@pytest.mark.parametrize("distance", ["sqeuclidean", "cosine"])
def test_shows_what_is_scored(distance):
    # Many equal pages: what is shown first is what the scores count as first.
    rng = np.random.default_rng(0)
    points = rng.normal(size=(6, 9))[rng.integers(0, 6, 50)]
    labels = rng.integers(0, 4, 50)
    pages, _ = nearest(points, 10, distance=distance)
    scores = evaluate_retrieval(points, labels, distance=distance)
    np.testing.assert_array_equal(labels[pages] == labels[:, None], scores.relevance)


def test_some_queries():
    points = np.random.default_rng(1).normal(size=(30, 4))
    every, distances = nearest(points, 7, distance="cosine")
    some, own = nearest(points, 7, queries=[29, 3], distance="cosine")
    np.testing.assert_array_equal(some, every[[29, 3]])
    np.testing.assert_allclose(own, distances[[29, 3]], atol=1e-12)


@pytest.mark.parametrize(
    ("k", "options", "message"),
    [
        (0, {}, "k must be from 1 to 2, the number of other pages, got 0"),
        (3, {}, "got 3"),
        (1, {"queries": [3]}, "positions from 0 to 2, got 3 to 3"),
        (1, {"queries": [-1, 0]}, "got -1 to 0"),
        (1, {"queries": [0.5]}, r"positions \(q,\), at least one"),
        (1, {"queries": []}, "at least one"),
        (1, {"distance": "l2"}, "got 'l2'"),
        (1, {"distance": "cosine"}, "descriptor of page 0 is zero"),
    ],
)
def test_errors(k, options, message):
    with pytest.raises(ValueError, match=message):
        nearest(np.zeros((3, 2)), k, **options)


@pytest.mark.parametrize("distance", ["sqeuclidean", "cosine"])
def test_faiss_agrees(distance):
    pytest.importorskip("faiss", reason="FAISS is an extra: pip install 'dgmp[faiss]'")
    points = np.random.default_rng(2).normal(size=(500, 16))
    pages, distances = nearest(points, 10, distance=distance)
    found, single = nearest_by_faiss(points, 10, distance=distance)
    np.testing.assert_array_equal(found, pages)
    np.testing.assert_allclose(single, distances, atol=1e-4)
    some, _ = nearest_by_faiss(points, 10, queries=[7, 400], distance=distance)
    np.testing.assert_array_equal(some, pages[[7, 400]])


def test_faiss_leaves_the_query_out_among_many_equal_pages():
    pytest.importorskip("faiss", reason="FAISS is an extra: pip install 'dgmp[faiss]'")
    points = np.repeat([[1.0, 2.0], [5.0, 0.0]], [20, 3], axis=0)
    pages, distances = nearest_by_faiss(points, 4)
    assert not (pages == np.arange(23)[:, None]).any()
    assert not distances[:20].any()

import numpy as np
import pytest

from dgmp.encoding import rerank

SETTINGS = [
    ("sgr", {}),
    ("sgr", {"k": 3, "layers": 2, "gamma": 0.2}),
    ("sgr", {"layers": 0}),
    ("query-expansion", {}),
    ("query-expansion", {"k": 4}),
    ("jaccard", {}),
    ("jaccard", {"k1": 5, "k2": 2, "lambda_": 0.1}),
    ("jaccard", {"k1": 3, "k2": 0, "lambda_": 0.0}),
    ("jaccard", {"k1": 1, "k2": 4}),
]


def pages(seed, writers=6, each=4, width=10):
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(writers, width)), each, axis=0)
    return centres + rng.normal(size=centres.shape)


def unit(v):
    return v / np.sqrt(v @ v)


def cosine(a, b):
    return unit(a) @ unit(b)


def order(row, page, k):
    """The k largest other entries."""
    others = [j for j in range(len(row)) if j != page]
    return sorted(others, key=lambda j: -row[j])[:k]


def cosine_matrix(rows):
    return np.array([[cosine(a, b) for b in rows] for a in rows])


def sgr(x, k=2, layers=1, gamma=0.4):
    s = cosine_matrix(x)
    a = np.exp(-((1 - s) ** 2) / gamma)
    for _ in range(layers):
        n = len(a)
        a = np.array([[(a[i, j] + a[j, i]) / 2 for j in range(n)] for i in range(n)])
        a = np.array(
            [unit(a[i] + sum(s[i, j] * a[j] for j in order(a[i], i, k))) for i in range(n)]
        )
    return 1 - cosine_matrix(a)


def expansion(x, k=2):
    s = cosine_matrix(x)
    x = [unit(row) for row in x]
    near = [order(s[i], i, k) for i in range(len(x))]
    means = [
        np.mean([x[i], *(x[j] for j in near[i] if i in near[j])], axis=0) for i in range(len(x))
    ]
    return 1 - cosine_matrix(means)


def jaccard(x, k1=4, k2=1, lambda_=0.3):
    d = 1 - cosine_matrix(x)
    n = len(x)

    def members(i, k):
        return {j for j in order(-d[i], i, k) if i in order(-d[j], j, k)} | {i}

    v = np.zeros((n, n))
    for i in range(n):
        first = members(i, k1)
        expanded = set(first)
        for j in first:
            half = members(j, -(-k1 // 2))
            if 3 * len(first & half) >= 2 * len(half):
                expanded |= half
        for g in expanded:
            v[i, g] = np.exp(-d[i, g])
        v[i] /= v[i].sum()
    if k2:
        v = np.array(
            [np.mean([v[i], *(v[j] for j in order(-d[i], i, k2))], axis=0) for i in range(n)]
        )
    jaccard = [[1 - np.minimum(a, b).sum() / np.maximum(a, b).sum() for b in v] for a in v]
    return (1 - lambda_) * np.array(jaccard) + lambda_ * d


FORMULAS = {"sgr": sgr, "query-expansion": expansion, "jaccard": jaccard}


@pytest.mark.parametrize(("method", "settings"), SETTINGS)
@pytest.mark.parametrize("seed", [0, 1])
def test_agrees_with_the_formula_by_loops(method, settings, seed):
    x = pages(seed)
    distances = rerank(x, method, **settings)
    assert distances.dtype == np.float32
    expected = FORMULAS[method](x, **settings)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(distances, expected, atol=2e-6)


@pytest.mark.parametrize(("method", "settings"), SETTINGS)
def test_the_order_and_the_length_of_pages_do_not_matter(method, settings):
    x = pages(2)
    rng = np.random.default_rng(3)
    shuffled = rng.permutation(len(x))
    scaled = (x * rng.uniform(0.1, 10, (len(x), 1)))[shuffled]
    expected = rerank(x, method, **settings)[np.ix_(shuffled, shuffled)]
    np.testing.assert_allclose(rerank(scaled, method, **settings), expected, atol=2e-6)


@pytest.mark.parametrize(("method", "settings"), SETTINGS)
def test_pages_without_information_are_no_neighbours(method, settings):
    x = pages(4)
    blank = [0, 9, 20]
    some = np.insert(x, [0, 8, 18], 0, axis=0)
    assert not some[blank].any()
    distances = rerank(some, method, **settings)
    kept = np.delete(np.arange(len(some)), blank)
    np.testing.assert_array_equal(distances[np.ix_(kept, kept)], rerank(x, method, **settings))
    assert (distances[np.ix_(blank, kept)] == 2).all()
    assert (distances[np.ix_(kept, blank)] == 2).all()
    assert not distances.diagonal().any()


@pytest.mark.parametrize("method", FORMULAS)
def test_brings_pages_of_a_writer_together(method):
    x = pages(5, writers=8, each=5, width=40)
    same = np.repeat(np.arange(8), 5)[:, None] == np.repeat(np.arange(8), 5)
    other = ~same
    np.fill_diagonal(same, False)

    def lead(distances):
        return (distances[other].mean() - distances[same].mean()) / distances[other].std()

    assert lead(rerank(x, method)) > lead(rerank(x, "jaccard", lambda_=1))  # the cosine distance


def test_equal_pages():
    x = np.repeat(pages(6, writers=3, each=1), 5, axis=0)
    for method in FORMULAS:
        distances = rerank(x, method)
        assert np.isfinite(distances).all()
        assert distances.min() == 0


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        ("knn", {}, "method must be one of sgr, query-expansion, jaccard, got 'knn'"),
        ("sgr", {"k1": 2}, "sgr has the settings k, layers, gamma, got 'k1'"),
        ("sgr", {"k": 0}, "k must be a whole number from 1, got 0"),
        ("sgr", {"k": 1.5}, "got 1.5"),
        ("sgr", {"layers": -1}, "layers must be a whole number from 0, got -1"),
        ("sgr", {"gamma": 0}, "gamma must be a positive number, got 0"),
        ("sgr", {"k": 23}, "23 neighbours need at least 24 pages with information, got 23"),
        ("query-expansion", {"k": 0}, "k must be"),
        ("query-expansion", {"k": 30}, "30 neighbours need at least 31 pages"),
        ("jaccard", {"k1": 0}, "k1 must be"),
        ("jaccard", {"k2": -1}, "k2 must be"),
        ("jaccard", {"lambda_": 1.1}, "lambda_ must be from 0 to 1, got 1.1"),
        ("jaccard", {"k2": 23}, "23 neighbours need"),
    ],
)
def test_bad_settings(method, settings, message):
    x = pages(7)
    x[5] = 0
    with pytest.raises(ValueError, match=message):
        rerank(x, method, **settings)


def test_bad_descriptors():
    with pytest.raises(ValueError, match="page 1 is not finite"):
        rerank([[1.0], [np.inf]], "sgr")


@pytest.mark.parametrize("method", FORMULAS)
def test_pages_all_without_information(method):
    assert rerank(np.zeros((2, 3)), method).tolist() == [[0, 2], [2, 0]]

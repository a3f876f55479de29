import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics.pairwise import additive_chi2_kernel

from dgmp.encoding.handcrafted.distances import METRICS, distance_matrix


def histograms(pages: int = 12, bins: int = 40) -> np.ndarray:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 9, (pages, bins)) * (rng.random((pages, bins)) < 0.4)
    return (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)


def by_loops(a: np.ndarray, b: np.ndarray, metric: str) -> float:
    pairs = [(float(x), float(y)) for x, y in zip(a, b, strict=True)]
    if metric == "chi-squared":
        return sum((x - y) ** 2 / (x + y) for x, y in pairs if x + y)
    if metric == "L1":
        return sum(abs(x - y) for x, y in pairs)
    if metric == "euclidean":
        return sum((x - y) ** 2 for x, y in pairs) ** 0.5
    product = sum(x * y for x, y in pairs)
    return 1 - product / (sum(x * x for x, _ in pairs) * sum(y * y for _, y in pairs)) ** 0.5


@pytest.mark.parametrize("metric", METRICS)
def test_oracle_by_loops(metric):
    points = histograms()
    expected = [[by_loops(a, b, metric) for b in points] for a in points]
    found = distance_matrix(points, metric)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_array_equal(found, found.T)
    assert not found.diagonal().any()


def test_oracle_chi_squared_is_scikit_learns():
    points = np.random.default_rng(1).random((9, 50)) * (np.arange(50) % 3 > 0)
    found = distance_matrix(points, "chi-squared")
    np.testing.assert_allclose(found, -additive_chi2_kernel(points), atol=1e-5)


def test_oracle_signed_values():
    points = np.random.default_rng(2).normal(size=(9, 50))
    for metric, name in (("L1", "cityblock"), ("euclidean", "euclidean"), ("cosine", "cosine")):
        np.testing.assert_allclose(
            distance_matrix(points, metric), cdist(points, points, name), rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("metric", METRICS)
def test_pages_without_information_are_infinitely_far(metric):
    points = histograms()
    points[[2, 5]] = 0
    found = distance_matrix(points, metric)
    others = [0, 1, 3, 4, *range(6, 12)]
    np.testing.assert_allclose(
        found[np.ix_(others, others)], distance_matrix(points[others], metric), atol=1e-6
    )
    for blank in (2, 5):
        assert np.isinf(np.delete(found[blank], blank)).all()
        assert np.isinf(np.delete(found[:, blank], blank)).all()
        assert found[blank, blank] == 0


def test_errors():
    points = histograms()
    with pytest.raises(ValueError, match="unknown metric 'chi2'; known: chi-squared, L1"):
        distance_matrix(points, "chi2")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"got shape \(40,\)"):
        distance_matrix(points[0], "L1")
    points[3, 1] = np.nan
    with pytest.raises(ValueError, match="finite"):
        distance_matrix(points, "L1")
    points[3, 1] = -1
    with pytest.raises(ValueError, match="descriptor 3 has negative values"):
        distance_matrix(points, "chi-squared")

import numpy as np
import pytest

import dgmp.metrics.distances
from dgmp.metrics.distances import as_points, distance_rows


@pytest.mark.parametrize("distance", ["sqeuclidean", "cosine"])
@pytest.mark.parametrize("block", [1, 3, 64])
def test_equal_pages_are_at_equal_distances_to_the_last_bit(monkeypatch, distance, block):
    # The columns of one matrix product are not: BLAS sums the last few of them in another order,
    # and with a single query it is another routine.
    for width in (33, 100, 512):
        for pages in (10, 41, 101, 1003):
            rng = np.random.default_rng([width, pages])
            copy = rng.integers(0, 3, pages)
            points = rng.normal(size=(3, width))[copy]
            points[:, 7] = np.where(np.arange(pages) % 2, 0.0, -0.0)
            monkeypatch.setattr(dgmp.metrics.distances, "_BLOCK_BYTES", block * 8 * 3)
            queries = np.arange(min(pages, 20))
            for row in distance_rows(as_points(points, distance), queries, distance):
                for own in range(3):
                    assert len(np.unique(row[copy == own])) == 1


@pytest.mark.parametrize("distance", ["sqeuclidean", "cosine"])
@pytest.mark.parametrize("copies", [0, 20])
def test_agrees_with_differences(distance, copies):
    rng = np.random.default_rng(0)
    descriptors = rng.normal(size=(60, 40)).astype(np.float32)
    descriptors[:copies] = descriptors[5]
    points = as_points(descriptors, distance)
    exact = descriptors.astype(np.float64)
    if distance == "cosine":
        exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    expected = ((exact[:, None] - exact) ** 2).sum(axis=2)
    if distance == "cosine":
        expected /= 2  # of unit vectors
    for queries in (np.arange(60), np.array([59, 0, 7])):
        rows = np.stack(list(distance_rows(points, queries, distance)))
        np.testing.assert_allclose(rows, expected[queries], atol=1e-12)


def test_rows_may_be_written_to():
    points = as_points(np.random.default_rng(1).normal(size=(20, 4)), "sqeuclidean")
    kept = [row.copy() for row in distance_rows(points, np.arange(20), "sqeuclidean")]
    for row, expected in zip(
        distance_rows(points, np.arange(20), "sqeuclidean"), kept, strict=True
    ):
        np.testing.assert_array_equal(row, expected)
        row[:] = np.nan


def test_descriptors_are_left_alone():
    descriptors = np.random.default_rng(2).normal(size=(5, 3))
    before = descriptors.copy()
    as_points(descriptors, "cosine")
    np.testing.assert_array_equal(descriptors, before)

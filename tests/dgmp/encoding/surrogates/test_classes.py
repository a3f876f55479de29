import numpy as np
import pytest

from dgmp.encoding.surrogates.classes import (
    UNCLEAR,
    SurrogateClasses,
    even_share,
    find_classes,
    first_of_equals,
)

RNG = np.random.default_rng(0)
BLOBS = RNG.normal(size=(6, 8)) * 10
VECTORS = np.float32(np.repeat(BLOBS, 50, axis=0) + RNG.normal(size=(300, 8)))


@pytest.mark.parametrize("ratio", [0.5, 0.9, 1])
def test_oracle_labels_by_loops(ratio):
    classes = SurrogateClasses(
        np.float32(RNG.normal(size=8)),
        np.float32(RNG.normal(size=(8, 3))),
        np.float32(RNG.normal(size=(7, 3))),
    )
    vectors = np.float32(RNG.normal(size=(200, 8)))
    labels = classes.labels(vectors, ratio)
    for vector, label in zip(vectors, labels, strict=True):
        point = (vector - classes.mean) @ classes.projection
        distances = [float(np.linalg.norm(point - centre)) for centre in classes.centres]
        first, second = sorted(distances)[:2]
        assert label == (distances.index(first) if first <= ratio * second else UNCLEAR)
    assert (labels == UNCLEAR).any() == (ratio < 1)


def test_clusters_of_separate_blobs_are_the_blobs():
    classes = find_classes(VECTORS, classes=6, dimensions=4, seed=0)
    labels = classes.labels(VECTORS, 0.9).reshape(6, 50)
    assert (labels == labels[:, :1]).all()
    assert len(set(labels[:, 0].tolist())) == 6


def test_the_projection_keeps_the_distances_of_as_many_components():
    classes = find_classes(VECTORS, classes=2, dimensions=8, seed=0)
    points = (VECTORS - classes.mean) @ classes.projection
    expected = np.linalg.norm(VECTORS[:20, None] - VECTORS[None, :20], axis=2)
    found = np.linalg.norm(points[:20, None] - points[None, :20], axis=2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_the_same_seed_gives_the_same_classes():
    first, again = (find_classes(VECTORS, classes=9, dimensions=3, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first.centres, again.centres)


def test_too_few_descriptors():
    with pytest.raises(ValueError, match=r"301 surrogate classes need as many .* got 300: lower"):
        find_classes(VECTORS, classes=301, dimensions=3, seed=0)
    with pytest.raises(ValueError, match="at most 8 for 300 local descriptors of 8 entries, got 9"):
        find_classes(VECTORS, classes=3, dimensions=9, seed=0)


@pytest.mark.parametrize("most", [0, 1, 5, 16, 23, 40])
def test_property_shares_are_even_and_as_large_as_allowed(most):
    counts = np.array([0, 3, 9, 4, 7])
    share = even_share(counts, most)
    assert (share <= counts).all()
    assert share.sum() <= most
    limit = share.max()
    assert (share == counts.clip(max=limit)).all()
    assert limit == counts.max() or counts.clip(max=limit + 1).sum() > most


def test_of_equal_patches_the_first_stays():
    patches = (np.arange(60) % 2).astype(np.uint8).reshape(5, 3, 4)
    patches[3, 1, 1] ^= 1
    assert first_of_equals(patches).tolist() == [0, 3]
    assert first_of_equals(patches[:0]).tolist() == []

import cv2
import numpy as np
import pytest

from dgmp.encoding.handcrafted import FEATURES, METRICS, distance_matrix

SIZES = {
    "hinge": 820,
    "cohinge": 10_000,
    "obif": 484,
    "srs-lbp": 3072,
    "page-statistics": 9,
    "background": 320,
}


def pages(ink: float, seed: int = 0) -> dict[str, np.ndarray]:
    noise = np.random.default_rng(seed).normal(size=(120, 140))
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    dark = smooth < np.quantile(smooth, ink)
    grey = 200 + 20 * cv2.GaussianBlur(noise, (0, 0), 1)
    grey[dark] = 40
    binary = np.where(dark, np.uint8(0), np.uint8(255))
    return {"grey": grey.clip(0, 255).astype(np.uint8), "binary": binary}


def describe(name: str, page: dict[str, np.ndarray]) -> np.ndarray:
    feature = FEATURES[name]
    return feature.function(*(page[kind] for kind in feature.needs))


def test_the_features():
    assert set(FEATURES) == set(SIZES)
    assert {feature.metric for feature in FEATURES.values()} <= set(METRICS)


@pytest.mark.parametrize("name", SIZES)
def test_shapes_and_ranking(name):
    descriptors = np.array([describe(name, pages(0.2, seed)) for seed in range(3)])
    assert descriptors.dtype == np.float32
    assert descriptors.shape == (3, SIZES[name])
    assert descriptors.any(axis=1).all()
    distances = distance_matrix(descriptors, FEATURES[name].metric)
    assert np.isfinite(distances).all()


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("ink", [0, 0.02])
def test_pages_without_information_give_zeros(name, ink):
    found = describe(name, pages(ink))
    assert found.shape == (SIZES[name],)
    assert found.dtype == np.float32
    assert not found.any()


@pytest.mark.parametrize("name", SIZES)
def test_property_pages_stay_as_they_are(name):
    page = pages(0.2)
    before = {kind: pixels.copy() for kind, pixels in page.items()}
    describe(name, page)
    for kind, pixels in page.items():
        np.testing.assert_array_equal(pixels, before[kind])


@pytest.mark.parametrize("name", SIZES)
def test_property_views_of_a_larger_page(name):
    page = pages(0.2)
    views = {kind: np.pad(pixels, 7)[7:-7, 7:-7] for kind, pixels in page.items()}
    np.testing.assert_array_equal(describe(name, views), describe(name, page))

import math

import cv2
import numpy as np
import pytest

from dgmp.encoding.handcrafted.hinge import cohinge, direction_bins, hinge


def blobs(seed: int = 0, shape: tuple[int, int] = (110, 150)) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=shape)
    return np.where(cv2.GaussianBlur(noise, (0, 0), 4) > 0, np.uint8(0), np.uint8(255))


def stroke(degrees: float, length: int = 1200, width: int = 8) -> np.ndarray:
    """A straight stroke through the middle of a page, counterclockwise from the right."""
    page = np.full((1400, 1400), 255, np.uint8)
    angle = math.radians(degrees)
    along = np.array([math.cos(angle), -math.sin(angle)])
    across = np.array([along[1], -along[0]])
    corners = [
        a * along * length / 2 + b * across * width / 2
        for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1))
    ]
    cv2.fillPoly(page, [np.round(np.array(corners) + 700).astype(np.int32)], 0)
    return page


def legs_by_loops(page: np.ndarray, leg: int):
    """For each contour the angles in degrees of the legs ahead and behind, in [0, 360)."""
    found, _ = cv2.findContours((page == 0).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for contour in found:
        points = [(int(x), int(y)) for x, y in contour.reshape(-1, 2)]
        if len(points) <= 2 * leg:
            continue
        angles = []
        for i, (x, y) in enumerate(points):
            pair = []
            for j in (i + leg, i - leg):
                other_x, other_y = points[j % len(points)]
                pair.append(math.degrees(math.atan2(y - other_y, other_x - x)) % 360)
            angles.append(pair)
        yield angles


def bin_of(angle: float, bins: int, turned: float) -> int:
    return math.floor(angle / (360 / bins) + turned) % bins


@pytest.mark.parametrize(("bins", "turned"), [(24, 1 / 2), (30, 1 / 8), (12, 1 / 4)])
@pytest.mark.parametrize("leg", [3, 8])
def test_oracle_hinge_by_loops(bins, turned, leg):
    page = blobs()
    pairs = {(a, b): 0 for a in range(bins) for b in range(a, bins)}
    for angles in legs_by_loops(page, leg):
        for pair in angles:
            first, second = sorted(bin_of(angle, bins, turned) for angle in pair)
            pairs[first, second] += 1
    expected = np.array(list(pairs.values()), float)
    found = hinge(page, leg, bins)
    assert found.dtype == np.float32
    assert found.shape == (bins * (bins + 1) // 2,)
    np.testing.assert_allclose(found, expected / expected.sum(), atol=1e-6)


@pytest.mark.parametrize("distance", [1, 6, 500])
def test_oracle_cohinge_by_loops(distance):
    page, bins, leg = blobs(), 6, 5
    expected = np.zeros((bins,) * 4)
    for angles in legs_by_loops(page, leg):
        hinges = [tuple(bin_of(angle, bins, 1 / 8) for angle in pair) for pair in angles]
        for i, first in enumerate(hinges):
            expected[first + hinges[(i + distance) % len(hinges)]] += 1
    found = cohinge(page, leg, distance, bins)
    np.testing.assert_allclose(found, expected.reshape(-1) / expected.sum(), atol=1e-6)


@pytest.mark.parametrize("degrees", range(0, 180, 15))
def test_oracle_a_straight_stroke_has_opposite_legs_of_its_direction(degrees):
    bins = 24
    histogram = np.zeros((bins, bins))
    histogram[np.triu_indices(bins)] = hinge(stroke(degrees), leg=20, bins=bins)
    first = degrees // 15
    # The ends take 4 legs of the two sides.
    assert histogram[first, first + bins // 2] > 0.85


def test_oracle_cohinge_of_a_horizontal_stroke():
    histogram = cohinge(stroke(0), leg=10, distance=10, bins=8).reshape((8,) * 4)
    # Along the lower side a contour runs right, ink on its left; along the upper it runs left.
    assert histogram[0, 4, 0, 4] == pytest.approx(histogram[4, 0, 4, 0], abs=0.01)
    assert histogram[0, 4, 0, 4] > 0.45


@pytest.mark.parametrize("bins", [8, 12, 24])
def test_property_turning_the_page_turns_the_directions(bins):
    page = blobs()
    histogram = np.zeros((bins, bins))
    histogram[np.triu_indices(bins)] = hinge(page, 6, bins)
    both_ways = histogram + histogram.T
    turned = np.roll(both_ways, (bins // 4, bins // 4), axis=(0, 1))[np.triu_indices(bins)]
    diagonal = np.equal(*np.triu_indices(bins))
    turned[diagonal] /= 2
    np.testing.assert_allclose(hinge(np.rot90(page), 6, bins), turned, atol=1e-3)


def test_property_turning_the_page_turns_both_hinges():
    page, bins = blobs(), 8
    histogram = cohinge(page, 6, 5, bins).reshape((bins,) * 4)
    turned = np.roll(histogram, (2, 2, 2, 2), axis=(0, 1, 2, 3)).reshape(-1)
    np.testing.assert_allclose(cohinge(np.rot90(page), 6, 5, bins), turned, atol=1e-3)


def test_property_turning_the_page_changes_the_descriptor():
    page = stroke(15)
    assert np.abs(hinge(page) - hinge(np.rot90(page))).sum() > 1


@pytest.mark.parametrize("bins", [8, 10, 12, 24, 30, 40])
def test_property_the_eight_directions_lie_inside_their_bins(bins):
    angles = np.radians(45 * np.arange(8))
    vectors = np.stack([np.cos(angles), -np.sin(angles)], axis=1)
    turned = [
        np.stack([np.cos(angles + turn), -np.sin(angles + turn)], axis=1)
        for turn in np.radians([-1, 1])
    ]
    for other in turned:
        np.testing.assert_array_equal(direction_bins(other, bins), direction_bins(vectors, bins))


def test_sizes_are_those_of_the_papers():
    assert hinge(blobs(), bins=30).shape == (465,)
    assert cohinge(blobs()).shape == (10_000,)


@pytest.mark.parametrize("feature", [hinge, cohinge])
def test_pages_without_information_give_zeros(feature):
    blank = np.full((300, 300), 255, np.uint8)
    letter = blank.copy()
    letter[100:130, 100:110] = 0
    specks = blank.copy()
    specks[::3, ::3] = 0
    for page in (blank, letter, specks):
        assert not feature(page).any()
    assert feature(blobs()).sum() == pytest.approx(1)


@pytest.mark.parametrize("feature", [hinge, cohinge])
@pytest.mark.parametrize("name", ["leg", "bins"])
def test_errors(feature, name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        feature(blobs(), **{name: 0})
    with pytest.raises(ValueError, match="binarize it first"):
        feature(np.full((20, 20), 100, np.uint8))


def test_errors_cohinge_distance():
    with pytest.raises(ValueError, match="distance must be at least 1, got 0"):
        cohinge(blobs(), distance=0)

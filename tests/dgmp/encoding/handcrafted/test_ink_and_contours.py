import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgmp.encoding.handcrafted.contours import Contours, find_contours
from dgmp.encoding.handcrafted.ink import MIN_INK_PIXELS, has_information, ink_mask


def blobs(seed: int) -> np.ndarray:
    """Round blobs with holes, some at the border."""
    noise = np.random.default_rng(seed).normal(size=(50, 70))
    return (cv2.GaussianBlur(noise, (0, 0), 2) > 0).astype(np.uint8)


@pytest.mark.parametrize("seed", range(4))
def test_oracle_contour_points_are_the_ink_beside_background(seed):
    mask = blobs(seed)
    padded = np.pad(mask, 1)
    beside = (
        (padded[:-2, 1:-1] == 0)
        | (padded[2:, 1:-1] == 0)
        | (padded[1:-1, :-2] == 0)
        | (padded[1:-1, 2:] == 0)
    )
    found = np.zeros_like(mask)
    x, y = find_contours(mask).points.T
    found[y, x] = 1
    np.testing.assert_array_equal(found, mask & beside)


@pytest.mark.parametrize("seed", range(4))
def test_property_contours_are_closed(seed):
    contours = find_contours(blobs(seed))
    steps = contours.points[contours.further(1)] - contours.points
    single = np.repeat(contours.lengths, contours.lengths) == 1
    assert (np.abs(steps).max(axis=1)[~single] == 1).all()
    assert contours.lengths.sum() == len(contours.points)


def test_property_outer_contours_run_counterclockwise_and_holes_clockwise():
    mask = np.zeros((40, 40), np.uint8)
    mask[5:35, 5:35] = 1
    mask[15:25, 15:25] = 0
    contours = find_contours(mask)
    areas = {}
    for length, points in zip(
        contours.lengths, np.split(contours.points, contours.lengths.cumsum()[:-1]), strict=True
    ):
        x, y = points.T.astype(float)
        # Shoelace formula with y up.
        areas[int(length)] = (np.roll(x, -1) * y - x * np.roll(y, -1)).sum() / 2
    outer, hole = areas[4 * 29], areas[min(areas)]
    assert outer == 29**2
    assert hole < 0


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(-20, 20))
def test_oracle_further(lengths, steps):
    contours = Contours(np.zeros((sum(lengths), 2), np.int32), np.array(lengths))
    expected, start = [], 0
    for length in lengths:
        expected += [start + (point + steps) % length for point in range(length)]
        start += length
    assert contours.further(steps).tolist() == expected


def test_short_contours_are_left_out():
    contours = Contours(np.arange(12).reshape(6, 2), np.array([1, 3, 2]))
    kept = contours.at_least(2)
    assert kept.lengths.tolist() == [3, 2]
    np.testing.assert_array_equal(kept.points, contours.points[1:])


def test_no_ink_has_no_contours():
    contours = find_contours(np.zeros((5, 5), np.uint8))
    assert contours.points.shape == (0, 2)
    assert contours.further(3).shape == (0,)


def test_a_page_has_information_from_the_least_ink_on():
    page = np.full(2 * MIN_INK_PIXELS, 255, np.uint8)
    page[: MIN_INK_PIXELS - 1] = 0
    assert not has_information(ink_mask(page[None]))
    page[-1] = 0
    assert has_information(ink_mask(page[None]))


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (np.zeros((3, 4)), "float64"),
        (np.zeros((3, 4, 1), np.uint8), r"\(3, 4, 1\)"),
        (np.zeros((0, 4), np.uint8), r"\(0, 4\)"),
        (np.array([[0, 255, 7]], np.uint8), "got 7: binarize it first"),
        (np.array([[0, 1]], np.uint8), "got 1: binarize"),
    ],
)
def test_errors_a_page_that_is_not_binary(page, message):
    with pytest.raises(ValueError, match=message):
        ink_mask(page)

import cv2
import numpy as np
import pytest

from dgmp.images.stroke_width import stroke_width


def rectangle(length: int, width: int) -> np.ndarray:
    page = np.full((60, 160), 255, np.uint8)
    page[20 : 20 + width, 10 : 10 + length] = 0
    return page


@pytest.mark.parametrize("width", range(1, 16))
def test_upright_and_level_strokes_of_any_width(width):
    assert stroke_width(rectangle(120, width)) == width
    assert stroke_width(rectangle(120, width).T.copy()) == width


@pytest.mark.parametrize("degrees", [15, 30, 45, 60, 75])
@pytest.mark.parametrize("width", [3, 4, 6, 9])
def test_slanted_strokes_within_two_thirds_of_a_pixel(width, degrees):
    # Pixels whose centre is within half the width of a line, not what cv2.line draws.
    y, x = np.mgrid[:200, :200] - 99.5
    angle = np.deg2rad(degrees)
    across, along = x * np.sin(angle) - y * np.cos(angle), x * np.cos(angle) + y * np.sin(angle)
    page = np.where((np.abs(across) < width / 2) & (np.abs(along) < 80), 0, 255).astype(np.uint8)
    assert stroke_width(page) == pytest.approx(width, abs=0.67)


def test_blots_and_specks_change_little():
    page = np.full((400, 400), 255, np.uint8)
    for y in range(20, 400, 20):
        page[y : y + 5, 10:300] = 0
    cv2.circle(page, (350, 200), 40, 0, -1)
    rng = np.random.default_rng(0)
    page[rng.integers(0, 400, 200), rng.integers(0, 400, 200)] = 0
    assert stroke_width(page) == pytest.approx(5, abs=0.5)


def test_it_grows_with_the_page():
    page = rectangle(120, 5)
    cv2.circle(page, (50, 45), 12, 0, 3)
    large = cv2.resize(page, None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)
    assert stroke_width(large) == pytest.approx(3 * stroke_width(page), rel=0.05)


def test_pages_without_ink_and_of_ink_alone():
    assert stroke_width(np.full((5, 7), 255, np.uint8)) == 0
    assert stroke_width(np.zeros((5, 70), np.uint8)) == 5
    assert stroke_width(np.zeros((1, 1), np.uint8)) == 1


@pytest.mark.parametrize("page", [np.zeros((4, 4)), np.zeros((2, 2, 3), np.uint8), np.zeros(0)])
def test_bad_pages(page):
    with pytest.raises(ValueError, match=r"takes a page uint8 \(H, W\)"):
        stroke_width(page)

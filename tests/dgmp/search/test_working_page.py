import cv2
import numpy as np
import pytest

from dgmp.scribes import draw_scribe, write_page
from dgmp.search.described import describe_scan
from dgmp.search.working_page import LARGEST_SCALE, MOST_PIXELS, PEN, pen_width, working_page


@pytest.fixture(scope="module")
def scan() -> np.ndarray:
    rng = np.random.default_rng(3)
    return write_page(draw_scribe("Caroline", rng), rng, height=480, width=416, line_pitch=32)


@pytest.mark.parametrize("width", [3, 4, 7, 10])
def test_oracle_width_of_ruled_strokes(width):
    ink = np.full((300, 300), 255, np.uint8)
    for left in range(20, 280, 40):
        ink[20:280, left : left + width] = 0
    assert pen_width(ink) == pytest.approx(width, abs=0.5)


def test_specks_do_not_change_the_width():
    ink = np.full((300, 300), 255, np.uint8)
    ink[20:280, 40:48] = ink[20:280, 120:128] = 0
    before = pen_width(ink)
    rng = np.random.default_rng(0)
    ink[rng.integers(0, 300, 400), rng.integers(150, 300, 400)] = 0
    assert pen_width(ink) == before


@pytest.mark.parametrize("times", [2.0, 3.0, 4.0])
def test_property_an_enlarged_scan_gives_much_the_same_working_page(scan, times):
    larger = cv2.resize(scan, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
    one, other = working_page(scan), working_page(larger)
    assert other.pen == pytest.approx(times * one.pen, rel=0.2)
    assert other.grey.shape == pytest.approx(one.grey.shape, rel=0.2)


def test_light_writing_on_dark_ground_is_turned_round(scan):
    np.testing.assert_array_equal(working_page(255 - scan).ink, working_page(scan).ink)


def test_only_text_counts(scan):
    text = np.zeros(scan.shape, bool)
    text[: scan.shape[0] // 2] = True
    page = working_page(scan, text)
    assert (page.ink[page.ink.shape[0] // 2 + 2 :] == 255).all()
    described = describe_scan(scan, text)
    assert (
        described.local.positions[:, 1].max()
        < page.ink.shape[0] / 2 + 6 * described.local.sizes.max()
    )
    assert 0 < len(described.local.sift) < len(describe_scan(scan).local.sift)


def test_a_blank_scan_has_no_pen_and_no_descriptors():
    page = working_page(np.full((200, 300), 240, np.uint8))
    assert (page.scale, page.pen) == (1.0, 0.0)
    assert len(describe_scan(np.full((200, 300), 240, np.uint8)).local.sift) == 0


def test_sizes_have_limits():
    thin = np.full((400, 400), 255, np.uint8)
    thin[::40] = 0
    assert working_page(thin).scale <= LARGEST_SCALE
    wide = np.full((3000, 4000), 255, np.uint8)
    wide[::100] = wide[1::100] = 0
    assert working_page(wide).grey.size <= 1.01 * MOST_PIXELS


def test_the_page_is_kept_for_pictures(scan):
    described = describe_scan(scan)
    page = working_page(scan)
    assert described.page.shape == page.grey.shape
    assert np.abs(described.page.astype(int) - page.grey).mean() < 3
    assert described.scale == pytest.approx(PEN / described.pen)


@pytest.mark.parametrize("page", [np.zeros((3, 3)), np.zeros((3, 3, 3), np.uint8)])
def test_errors_not_a_page(page):
    with pytest.raises(ValueError, match="takes a page uint8"):
        working_page(page)


def test_errors_text_of_another_shape(scan):
    with pytest.raises(ValueError, match="must be of the page's shape"):
        working_page(scan, np.ones((3, 3), bool))

"""The nuisance baselines: page statistics and background."""

import numpy as np
import pytest
from scipy import ndimage

from dgmp.encoding.handcrafted.background import GREY_BINS, INK_MARGIN, background
from dgmp.encoding.handcrafted.page_statistics import NAMES, line_pitch, page_statistics

LINES = range(50, 450, 37)


def ruled_page(width: int = 5) -> np.ndarray:
    """Eleven lines of ink 37 pixels apart from (50, 60), 300 long and 5 wide, on 500 x 400."""
    page = np.full((500, 400), 255, np.uint8)
    for top in LINES:
        page[top : top + width, 60:360] = 0
    return page


def statistics(page: np.ndarray) -> dict[str, float]:
    return dict(zip(NAMES, page_statistics(page).tolist(), strict=True))


def test_oracle_statistics_of_a_drawn_page():
    found = statistics(ruled_page())
    assert (found["height"], found["width"]) == (500, 400)
    assert found["ink_ratio"] == pytest.approx(len(LINES) * 300 * 5 / (500 * 400))
    assert found["line_pitch"] == pytest.approx(37, abs=0.2)
    assert found["stroke_width"] == pytest.approx(5, rel=0.05)
    assert (found["text_top"], found["text_left"]) == (50, 63)
    assert (found["text_height"], found["text_width"]) == (10 * 37 + 5, 294)


def test_property_turning_the_page_swaps_its_sides():
    page, turned = ruled_page(), np.rot90(ruled_page(), -1)
    before, after = statistics(page), statistics(turned)
    assert (after["height"], after["width"]) == (before["width"], before["height"])
    assert (after["text_height"], after["text_width"]) == (
        before["text_width"],
        before["text_height"],
    )
    assert after["ink_ratio"] == before["ink_ratio"]
    assert after["stroke_width"] == pytest.approx(before["stroke_width"])
    # Clockwise, what was at the left is at the top.
    assert after["text_top"] == before["text_left"]
    assert after["line_pitch"] == 0


@pytest.mark.parametrize("pitch", [20.0, 33.5, 64.25])
def test_oracle_line_pitch_of_waves_with_noise(pitch):
    rows = np.arange(900)
    ink = 100 + 60 * np.cos(2 * np.pi * rows / pitch) + np.random.default_rng(0).normal(0, 10, 900)
    assert line_pitch(ink) == pytest.approx(pitch, abs=0.5)


def test_oracle_every_other_line_is_longer_and_the_pitch_stays():
    ink = np.zeros(800)
    for line, top in enumerate(range(0, 790, 40)):
        ink[top : top + 10] = 100 + 10 * (line % 2)
    assert line_pitch(ink) == pytest.approx(40, abs=0.5)


@pytest.mark.parametrize(
    "ink", [np.zeros(400), np.ones(400), np.ones(12), np.random.default_rng(1).normal(size=400)]
)
def test_rows_without_lines_have_no_pitch(ink):
    assert line_pitch(ink) == 0


def parchment(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(60, 90))
    return (180 + 300 * ndimage.gaussian_filter(noise, 2)).clip(0, 255).astype(np.uint8)


def written() -> np.ndarray:
    binary = np.full((60, 90), 255, np.uint8)
    binary[15:45, 30:70] = 0
    return binary


def test_oracle_background_by_loops():
    page, binary = parchment(), written()
    paper = np.ones(page.shape, bool)
    for y, x in np.argwhere(binary == 0):
        paper[y - INK_MARGIN : y + INK_MARGIN + 1, x - INK_MARGIN : x + INK_MARGIN + 1] = False
    grey, patterns = np.zeros(GREY_BINS), np.zeros(256)
    around = [(0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1)]
    for y, x in np.argwhere(paper):
        grey[page[y, x] // 4] += 1
        if 0 < y < 59 and 0 < x < 89 and paper[y - 1 : y + 2, x - 1 : x + 2].all():
            bits = [page[y + down, x + right] >= page[y, x] for down, right in around]
            patterns[sum(2**k for k in range(8) if bits[k])] += 1
    expected = np.concatenate([grey / grey.sum(), patterns / patterns.sum()]) / 2
    found = background(page, binary)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_property_the_ink_does_not_matter():
    page, binary = parchment(), written()
    painted = page.copy()
    painted[15 - INK_MARGIN : 45 + INK_MARGIN, 30 - INK_MARGIN : 70 + INK_MARGIN] = 7
    np.testing.assert_array_equal(background(painted, binary), background(page, binary))


def test_property_the_paper_does():
    assert np.abs(background(parchment(1), written()) - background(parchment(), written())).sum()


def test_property_turning_the_page_turns_the_patterns():
    page, binary = parchment(), written()
    patterns = np.arange(256)
    expected = background(page, binary)
    expected[64 + ((patterns << 2 | patterns >> 6) & 255)] = background(page, binary)[64:]
    np.testing.assert_array_equal(background(np.rot90(page), np.rot90(binary)), expected)


def test_pages_without_information_give_zeros():
    blank, ink = np.full((60, 90), 255, np.uint8), np.zeros((60, 90), np.uint8)
    assert not page_statistics(blank).any()
    assert not background(parchment(), blank).any()
    assert not background(parchment(), ink).any()
    # A page that was binary from the start: its paper is white.
    assert not background(written(), written()).any()


def test_errors():
    with pytest.raises(ValueError, match=r"uint8 \(60, 80\) beside \(60, 90\): resize"):
        background(parchment()[:, :80], written())
    with pytest.raises(ValueError, match="got float64"):
        background(parchment() / 255, written())
    with pytest.raises(ValueError, match="binarize it first"):
        page_statistics(parchment())

import cv2
import numpy as np
import pytest

from dgmp.images.negatives import is_negative, polarity, turn_positive

RNG = np.random.default_rng(0)


def flat(height: int, width: int, tone: float, noise: float = 3) -> np.ndarray:
    return RNG.normal(tone, noise, (height, width)).clip(0, 255).astype(np.uint8)


def written(
    ground: float = 225, ink: float = 60, *, pitch: int = 48, pen: int = 6, lines: int = 40
) -> np.ndarray:
    """A page of strokes that are slanted at random."""
    height, width = 1200, 900
    strokes = np.zeros((height, width), np.uint8)
    for y in range(120, min(height - 100, 120 + lines * pitch), pitch):
        for x in range(90, width - 90, 2 * pen + 4):
            end = (
                x + int(RNG.integers(-pen, 2 * pen)),
                y - int(RNG.integers(pitch // 6, pitch // 2)),
            )
            cv2.line(strokes, (x, y), end, 255, pen, cv2.LINE_AA)
    share = strokes / 255
    return (flat(height, width, ground, 6) * (1 - share) + ink * share).astype(np.uint8)


def bordered(page: np.ndarray, width: int, tone: float) -> np.ndarray:
    height, across = page.shape
    whole = flat(height + 2 * width, across + 2 * width, tone)
    whole[width:-width, width:-width] = page
    return whole


def with_card(page: np.ndarray) -> np.ndarray:
    page = page.copy()
    for patch in range(10):
        page[-130:-20, 40 + patch * 80 : 110 + patch * 80] = 25 * patch
    page[-140:-135] = 255
    return page


PAGES = {
    "plain": written(),
    "black border": bordered(written(), 60, 4),
    "wide black border": bordered(written(), 500, 4),
    "half black opening": np.hstack([flat(1200, 900, 8), written()]),
    "dark parchment with a colour card": with_card(written(90, 35)),
    "faint ink": written(150, 125),
    "faint ink in a black border": bordered(written(150, 125), 60, 4),
    "bright ruler beside dark parchment": np.hstack([written(90, 35), flat(1200, 50, 250)]),
    "three lines in a black border": bordered(written(lines=3), 60, 4),
    "large letters": written(pitch=160, pen=16),
    "shadow": (written() * np.linspace(0.25, 1, 900)).astype(np.uint8),
    "low resolution": cv2.resize(written(), None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA),
    "binary": np.where(written() > 140, np.uint8(255), np.uint8(0)),
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_property_pages_and_their_negatives(page):
    assert not is_negative(page)
    assert is_negative(255 - page)
    assert polarity(255 - page) == pytest.approx(-polarity(page), abs=1e-5)


@pytest.mark.parametrize("tone", [0, 12, 128, 250])
@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (1200, 900)])
def test_property_pages_without_writing_are_left(shape, tone):
    assert not is_negative(flat(*shape, tone))
    assert polarity(np.full(shape, tone, np.uint8)) == 0


def test_oracle_choices():
    page = PAGES["plain"]
    for given, choice, turned in (
        (page, "auto", False),
        (~page, "auto", True),
        (~page, "never", False),
        (page, "always", True),
    ):
        positive, was_turned = turn_positive(given, choice)
        assert was_turned is turned
        np.testing.assert_array_equal(positive, 255 - given if turned else given)
    with pytest.raises(ValueError, match="unknown choice 'yes'; known: auto, always, never"):
        turn_positive(page, "yes")

"""Parts of the scribes: skeletons, letterforms, text and pen."""

import numpy as np
import pytest

from dgmp.scribes import SCRIPT_TYPES, draw_scribe
from dgmp.scribes.hand import HIGHEST, LOWEST, NAMES
from dgmp.scribes.layout import draw_ruling, place_letters
from dgmp.scribes.pen import write_strokes
from dgmp.scribes.script_types import mean_hand
from dgmp.scribes.skeleton import round_corners
from dgmp.scribes.text import draw_words, spell


def test_oracle_rounding_a_corner() -> None:
    corner = np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 0.0]])
    assert np.allclose(round_corners(corner, 0.0)[1:-1], corner[1])
    # The middle of a quadratic curve is the weighted mean of its control points.
    assert np.allclose(round_corners(corner, 1.0)[3], [1.0, 1.0])
    assert np.allclose(round_corners(corner, 1.0)[[0, -1]], corner[[0, 2]])


@pytest.mark.parametrize("script_type", SCRIPT_TYPES)
def test_property_every_spelling_has_a_form(script_type: str) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        scribe = draw_scribe(script_type, rng)
        for word in draw_words(rng, 300):
            names = spell(word, scribe.hand, rng.random(3 * len(word) + 3).tolist())
            assert set(names) <= set(scribe.glyphs.index)
            assert names[0] not in ("macron", "link")


def test_property_hands_stay_writable() -> None:
    for script_type in SCRIPT_TYPES:
        for hand in (mean_hand(script_type), mean_hand(script_type, 5.0)):
            assert all(
                getattr(LOWEST, name) <= getattr(hand, name) <= getattr(HIGHEST, name)
                for name in NAMES
            )


def test_property_texts_differ_by_page() -> None:
    one, two = (draw_words(np.random.default_rng(seed), 40) for seed in (0, 1))
    assert one != two


def stroke_thickness(angle: float, *, upright: bool) -> int:
    points = np.array([[32.0, 8.0], [32.0, 56.0]] if upright else [[8.0, 32.0], [56.0, 32.0]])
    cover = write_strokes(
        points, np.zeros(2, int), np.ones(2), nib=12.0, angle=angle, height=64, width=64
    )
    return int((cover[32] if upright else cover[:, 32]).astype(int).sum()) // 255


def test_oracle_nib_thickness() -> None:
    # An edge of 12 px at 30 degrees is 12 cos 30 = 10.4 px broad on stems and 6 px on bars.
    assert stroke_thickness(30, upright=True) == pytest.approx(10.4, abs=1.5)
    assert stroke_thickness(30, upright=False) == pytest.approx(6.0, abs=1.5)
    # Along its own direction an edge leaves a hairline.
    assert stroke_thickness(0, upright=False) <= 2


def test_property_a_stroke_has_no_holes() -> None:
    rng = np.random.default_rng(0)
    for angle in (5, 20, 45, 60):
        direction = rng.normal(size=2)
        ends = 48 + np.array([-1, 1])[:, None] * 30 * direction / np.sqrt((direction**2).sum())
        cover = write_strokes(
            ends, np.zeros(2, int), np.full(2, 1.6), nib=20, angle=angle, height=96, width=96
        )
        inner = cover > 0
        rows = [np.flatnonzero(row) for row in inner if row.any()]
        assert all(len(row) == row[-1] - row[0] + 1 for row in rows)


def test_shapes_strokes_beyond_the_page_are_cut() -> None:
    points = np.array([[-50.0, 10.0], [200.0, 10.0], [300.0, 300.0]])
    cover = write_strokes(
        points, np.zeros(3, int), np.ones(3), nib=6.0, angle=40, height=32, width=48
    )
    assert cover.shape == (32, 48)
    assert cover[10].min() > 0
    assert cover[31].max() == 0


@pytest.mark.parametrize("indent", [0.0, 50.0])
def test_property_lines_are_filled_and_kept(indent: float) -> None:
    rng = np.random.default_rng(3)
    scribe = draw_scribe("Textualis", rng)
    ruling = draw_ruling(rng, 480, 416, 32)
    placed = place_letters(scribe, ruling, rng, 1.0, indent)
    measure = ruling.right - ruling.left
    assert set(placed.line.tolist()) == set(range(ruling.count))
    for line in range(ruling.count):
        x = placed.x[placed.line == line]
        assert x[0] == (indent if line < 2 else 0.0)
        assert 0.7 * measure < x[-1] < 1.06 * measure
    assert bool(placed.initial) == bool(indent)

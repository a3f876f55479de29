import io
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from pipeline.plots import style


@given(st.floats(-3, 3), st.floats(0.01, 5))
def test_property_logarithmic_axes_have_three_ticks_within_their_limits(exponent, span):
    low, high = 10**exponent, 10 ** (exponent + span)
    ticks = style.log_ticks(low, high)
    assert len(ticks) >= style.FEWEST_TICKS
    assert len(ticks) <= 12
    assert ticks == sorted(set(ticks))
    assert low <= ticks[0] < ticks[-1] <= high


def test_ticks_are_labelled_in_plain_numbers():
    axes = Figure().subplots()
    axes.set_yscale("log")
    axes.set_ylim(9, 42)
    style.set_log_ticks(axes.yaxis)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["10", "20", "30"]


def picture(colours: int) -> Figure:
    figure = Figure(figsize=(2, 2))
    rng = np.random.default_rng(0)
    figure.subplots().imshow(rng.integers(0, colours, (40, 40)), cmap="hsv", interpolation="none")
    return figure


def test_files_are_the_same_every_time():
    assert style.render(picture(200)) == style.render(picture(200))


@pytest.mark.parametrize("mode", ["RGBA", "RGB"])
def test_packed_pictures_show_the_same_in_fewer_bytes(mode):
    levels = np.random.default_rng(0).integers(0, 8, (90, 90, 4)).astype(np.uint8) * 36
    levels[..., 1] = levels[..., 2]
    levels[..., 3] = 255
    before = Image.fromarray(levels, "RGBA").convert(mode)
    content = io.BytesIO()
    before.save(content, "PNG")
    packed = style.pack_png(content.getvalue())
    assert len(packed) < len(content.getvalue())
    after = np.asarray(Image.open(io.BytesIO(packed)).convert("RGB"))
    np.testing.assert_array_equal(after, np.asarray(before.convert("RGB")))


def test_opacity_and_many_colours_are_kept():
    rng = np.random.default_rng(0)
    for mode, channels in (("RGBA", 4), ("RGB", 3)):
        before = rng.integers(0, 256, (60, 60, channels)).astype(np.uint8)
        content = io.BytesIO()
        Image.fromarray(before, mode).save(content, "PNG")
        after = Image.open(io.BytesIO(style.pack_png(content.getvalue())))
        assert after.mode == mode
        np.testing.assert_array_equal(np.asarray(after), before)


def test_names_do_not_tell_the_last_bit_of_a_place():
    def drawn(left: float) -> bytes:
        figure = Figure(figsize=(2, 2))
        figure.add_axes((left, 0.2, 0.5, 0.5)).plot([1, 2])
        return style.render(figure)["svg"]

    one = drawn(0.1)
    assert one == drawn(0.1 + 2**-50)
    names = re.findall(rb'(?<!xlink:)id="(n\d+)"', one)
    assert len(set(names)) == len(names) > 1
    assert set(re.findall(rb'(?:url\(#|href="#)(n\d+)', one)) <= set(names)

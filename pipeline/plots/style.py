"""How all figures look, and their files: the same bytes from the same numbers."""

from __future__ import annotations

import base64
import io
import re
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from PIL import Image, ImageChops

from pipeline.shared.settings.cells import PoolingName

# Okabe and Ito's palette, which colour-blind readers tell apart, and a dash pattern for print.
BLUE, VERMILION = "#0072B2", "#D55E00"
STYLES: dict[PoolingName, tuple[str, Any]] = {
    "avg": (BLUE, "-"),
    "avg_l2": ("#56B4E9", (0, (1, 1))),
    "max": (VERMILION, (0, (5, 2))),
    "mixed": ("#CC79A7", (0, (5, 2, 1, 2))),
    "lse": ("#E69F00", (0, (2, 2))),
    "gem": ("#7F7F7F", (0, (8, 2))),
    "sum": ("#F0E442", "-"),
    "dgmp": ("#000000", "-"),
}
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "dgmp",
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}

DPI = 170
# Steps of the ticks on a logarithmic axis, the coarsest first.
STEPS = ((1,), (1, 2, 5), (1, 2, 3, 5, 7), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9))
FEWEST_TICKS = 3
# A change of a channel, of 255, and in how many pixels a larger one is taken.
INVISIBLE, VISIBLE_SHARE = 12, 0.001
# What is made up of hashes: of places to the last bit, which the layout does not repeat.
HASHED = re.compile(rb'(?P<before>id="|url\(#|href="#)(?P<name>[a-z][0-9a-f]{10})\b')
EMBEDDED = re.compile(rb"(?P<start>data:image/png;base64,)(?P<content>[A-Za-z0-9+/=\s]+)")


def log_ticks(low: float, high: float) -> list[float]:
    """Round values between two positive limits of a logarithmic axis, three or more.

    >>> log_ticks(0.5, 200)
    [1.0, 10.0, 100.0]
    >>> log_ticks(9, 42)
    [10.0, 20.0, 30.0]
    >>> log_ticks(21, 28)
    [21.0, 22.5, 24.0, 25.5, 27.0]
    """
    exponents = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    for steps in STEPS:
        values = np.outer(10.0**exponents, steps).ravel()
        ticks = values[(values >= low) & (values <= high)]
        if len(ticks) >= FEWEST_TICKS:
            return [float(tick) for tick in ticks]
    close = MaxNLocator(2 * FEWEST_TICKS - 1).tick_values(low, high)
    return [float(tick) for tick in close if low <= tick <= high]


def set_log_ticks(axis: Axis) -> None:
    """Label a logarithmic axis whose limits are set, in plain numbers."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(FixedLocator(log_ticks(low, high)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def draw_grid(axes: Axes, which: Literal["both", "x", "y"] = "y") -> None:
    """Thin grey lines behind the data."""
    axes.grid(True, axis=which, color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)


@mpl.rc_context(STYLE)
def render(figure: Figure) -> dict[str, bytes]:
    """A new figure as PNG and SVG, with nothing in them that changes from day to day."""
    png, svg = io.BytesIO(), io.BytesIO()
    # In this order: the layout goes on from that of the drawing before.
    figure.savefig(png, format="png", dpi=DPI, metadata={"Software": None})
    figure.savefig(svg, format="svg", dpi=DPI, metadata={"Date": None})
    unindented = re.sub(rb"\n +", b"\n", svg.getvalue())
    return {
        "png": pack_png(png.getvalue()),
        "svg": renumber(EMBEDDED.sub(_pack_embedded, unindented)),
    }


def pack_png(content: bytes) -> bytes:
    """The same picture in fewer bytes: without opacity where all is opaque, and with a palette
    where hardly a colour changes visibly.
    """
    picture: Image.Image = Image.open(io.BytesIO(content))
    size = picture.info.get("dpi")
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (255, 255):
        picture = picture.convert("RGB")
    if picture.mode == "RGB":
        few = picture.quantize(kmeans=1, dither=Image.Dither.NONE)
        changes = np.asarray(ImageChops.difference(picture, few.convert("RGB"))).max(axis=2)
        if np.mean(changes > INVISIBLE) <= VISIBLE_SHARE:
            picture = few
    packed = io.BytesIO()
    picture.save(packed, format="PNG", optimize=True, **({"dpi": size} if size else {}))
    return packed.getvalue()


def renumber(svg: bytes) -> bytes:
    """An SVG whose hashed names are numbered in their order instead.

    >>> renumber(b'<path id="m0123456789"/><use xlink:href="#m0123456789"/>')
    b'<path id="n0"/><use xlink:href="#n0"/>'
    """
    numbers: dict[bytes, int] = {}

    def number(found: re.Match[bytes]) -> bytes:
        return b"%sn%d" % (found["before"], numbers.setdefault(found["name"], len(numbers)))

    return HASHED.sub(number, svg)


def _pack_embedded(found: re.Match[bytes]) -> bytes:
    packed = pack_png(base64.b64decode(found["content"]))
    return found["start"] + base64.b64encode(packed)

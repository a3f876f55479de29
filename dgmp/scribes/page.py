"""Pages: a scribe writes a text on a ruled sheet."""

import numpy as np

from dgmp.scribes.glyphs import warp
from dgmp.scribes.layout import INITIAL_LINES, Placed, Ruling, draw_ruling, place_letters
from dgmp.scribes.parchment import age_page
from dgmp.scribes.pen import write_strokes
from dgmp.scribes.scribe import Scribe
from dgmp.scribes.variation import USUAL, Variation


def write_page(
    scribe: Scribe,
    rng: np.random.Generator,
    *,
    height: int,
    width: int,
    line_pitch: float,
    variation: Variation = USUAL,
) -> np.ndarray:
    """Writes one page; the same draws give the same bytes on every machine.

    Args:
        scribe: Who writes.
        rng: Source of all that the page has of its own: text, spacing, sheet, wear.
        height: Height in pixels.
        width: Width in pixels.
        line_pitch: Distance of the baselines in pixels.
        variation: Its factors letter and wear count here.

    Returns:
        The grey page, uint8 (height, width), ink dark.

    Raises:
        ValueError: If a size is not positive.

    >>> from dgmp.scribes import draw_scribe
    >>> scribe = draw_scribe("Textualis", np.random.default_rng(1))
    >>> page = write_page(scribe, np.random.default_rng(2), height=96, width=96, line_pitch=24)
    >>> page.shape, page.dtype
    ((96, 96), dtype('uint8'))
    """
    for name, size in (("height", height), ("width", width), ("line_pitch", line_pitch)):
        if not 0 < size < float("inf"):
            raise ValueError(f"the page's {name} is {size}; it must be a positive number of pixels")
    # Writing and sheet have sources of their own, so that wear leaves the writing alone.
    writing, sheet = (
        np.random.default_rng(seed) for seed in rng.integers(1 << 62, size=2).tolist()
    )
    ruling = draw_ruling(writing, height, width, line_pitch)
    # Few pages open with an initial, none that has hardly room for it.
    opens = float(writing.random()) < 0.3 and ruling.right - ruling.left > 8 * line_pitch
    indent = 1.7 * line_pitch if opens and ruling.count > 2 * INITIAL_LINES else 0.0
    placed = place_letters(scribe, ruling, writing, variation.letter, indent)
    cover = _write(scribe, placed, ruling, writing, variation.letter, height, width)
    if placed.initial:
        _paint_initial(cover, scribe, placed.initial, ruling)
    return age_page(cover, ruling, sheet, variation.wear)


def _write(
    scribe: Scribe,
    placed: Placed,
    ruling: Ruling,
    rng: np.random.Generator,
    letter: float,
    height: int,
    width: int,
) -> np.ndarray:
    """Leads the pen along all letters of a page; returns the covered share uint8 (H, W)."""
    hand, glyphs = scribe.hand, scribe.glyphs
    count = len(placed.form)
    # Another day, another pen: what the whole page shares, but not the scribe's other pages.
    day = letter * rng.normal(size=4)
    mood = letter * rng.normal(size=(8, 1)) * 0.014
    x_height = hand.size * ruling.pitch * (1 + 0.02 * day[0])

    sizes = glyphs.start[placed.form + 1] - glyphs.start[placed.form]
    owner = np.repeat(np.arange(count), sizes)
    within = np.arange(len(owner)) - (np.cumsum(sizes) - sizes)[owner]
    source = glyphs.start[placed.form][owner] + within
    points = glyphs.points[source]

    bend = mood + letter * scribe.ease * rng.normal(size=(8, count))
    points = warp(points, bend[:, owner], glyphs.width[placed.form][owner])
    stroke = owner * 16 + glyphs.stroke[source]
    _, number = np.unique(stroke, return_inverse=True)
    points += letter * 0.015 * rng.normal(size=(int(number[-1]) + 1, 2))[number]

    slant = hand.slant + 0.014 * day[1]
    level = letter * scribe.wobble * rng.normal(size=count)
    lines = letter * rng.normal(size=(ruling.count, 2)) * (0.04, 0.0015)
    start = lines[placed.line, 0] * x_height
    rise = lines[placed.line, 1] + scribe.rise + ruling.tilt
    base = ruling.first + placed.line * ruling.pitch - start - rise * placed.x - level * x_height
    x = ruling.left + placed.x[owner] + x_height * (points[:, 0] + slant * points[:, 1])
    y = base[owner] - x_height * points[:, 1]
    push = 1 + letter * scribe.contrast * rng.normal(size=count)
    return write_strokes(
        np.stack([x, y], axis=1),
        stroke,
        np.maximum(push, 0.5)[owner],
        nib=hand.nib * hand.size * ruling.pitch * (1 + 0.055 * day[2]),
        angle=hand.nib_angle + 1.8 * day[3],
        height=height,
        width=width,
    )


def _paint_initial(cover: np.ndarray, scribe: Scribe, initial: str, ruling: Ruling) -> None:
    """Writes a large capital with a thick pen beside the first lines, in paler colour."""
    glyphs = scribe.glyphs
    form = glyphs.index[initial + "/capital"]
    places = slice(glyphs.start[form], glyphs.start[form + 1])
    points = glyphs.points[places]
    pitch = ruling.pitch
    low, high = points.min(axis=0), points.max(axis=0)
    scale = np.array([1.2, INITIAL_LINES - 0.5]) * pitch / np.maximum(high - low, 0.4)
    left, top = int(ruling.left), max(int(ruling.first - 0.7 * pitch), 0)
    box = cover[top : top + int(INITIAL_LINES * pitch), left : left + int(1.7 * pitch)]
    inset = 0.2 * pitch
    x = inset + (points[:, 0] - low[0]) * scale[0]
    y = inset + (high[1] - points[:, 1]) * scale[1]
    letter = write_strokes(
        np.stack([x, y], axis=1),
        glyphs.stroke[places],
        np.ones(len(x)),
        nib=0.22 * pitch,
        angle=scribe.hand.nib_angle,
        height=box.shape[0],
        width=box.shape[1],
    )
    np.maximum(box, letter // 4 * 3, out=box)

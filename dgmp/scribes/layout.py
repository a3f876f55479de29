"""Where on the page each letter stands: lines, margins, spacing."""

from dataclasses import dataclass

import numpy as np

from dgmp.scribes.scribe import Scribe
from dgmp.scribes.text import OVERLAYS, draw_words, kern, spell

# Height of a large initial at the head of a page.
INITIAL_LINES = 2


@dataclass(frozen=True)
class Ruling:
    """The ruled field of a page, in pixels.

    Attributes:
        left: Left bounding line.
        right: Right bounding line.
        first: Height of the first baseline.
        pitch: Distance of the baselines.
        count: Number of baselines.
        tilt: Rise of the ruling, in pixels per pixel.
    """

    left: float
    right: float
    first: float
    pitch: float
    count: int
    tilt: float


def draw_ruling(rng: np.random.Generator, height: int, width: int, pitch: float) -> Ruling:
    """Draws the margins of a page; at least one line and a column of some letters are ruled."""
    left, right, top, bottom = (0.035 + 0.055 * rng.random(4)).tolist()
    first = top * height + 0.75 * pitch
    count = max(1, int((height - bottom * height - first - 0.2 * pitch) // pitch) + 1)
    tilt = 0.004 * float(rng.normal())
    return Ruling(left * width, (1 - right) * width, first, pitch, count, tilt)


@dataclass(frozen=True, eq=False)
class Placed:
    """The letters of a page.

    Attributes:
        form: Number (M,) of each letter's form in the scribe's glyphs.
        line: Number (M,) of its line.
        x: Place (M,) of its origin right of the line's start, in pixels.
        initial: The letter that the first lines leave room for, or nothing.
    """

    form: np.ndarray
    line: np.ndarray
    x: np.ndarray
    initial: str


def place_letters(
    scribe: Scribe, ruling: Ruling, rng: np.random.Generator, letter: float, indent: float
) -> Placed:
    """Fills the ruled lines with text.

    Args:
        scribe: Writes and spells.
        ruling: The lines.
        rng: Source of text and spacing.
        letter: Factor on the unevenness of spacing.
        indent: Pixels that the first lines leave free for an initial; 0 for none.
    """
    hand = scribe.hand
    measure = ruling.right - ruling.left
    # Words have four letters on average, and letters are half as wide as an n on average.
    usual = (4 * (0.5 * hand.counter + hand.gap) + hand.word_gap) * hand.size * ruling.pitch
    words = draw_words(rng, int(ruling.count * (1.2 * measure / usual + 1)) + 4)
    initial = ""
    if indent:
        initial, words[0] = words[0][0], words[0][1:]
    names, starts = _spell_all(words, scribe, rng)
    origin, place = _space_out(names, starts, scribe, rng, letter)
    origin, place = origin * hand.size * ruling.pitch, place * hand.size * ruling.pitch
    forms = np.array([scribe.glyphs.index[name] for name in names])

    form_parts, line_parts, x_parts = [], [], []
    begin = 0
    for line in range(ruling.count):
        if begin == len(forms):
            break
        margin = indent if line < INITIAL_LINES else 0.0
        room = measure - margin
        stop = int(np.searchsorted(origin, origin[begin] + room)) - 1
        stop = _break(min(max(stop, begin + 1), len(forms)), begin, starts)
        while stop < len(forms) and names[stop] in OVERLAYS:
            stop += 1
        stretch = min(max(room / (origin[stop] - origin[begin]), 0.97), 1.05)
        form_parts.append(forms[begin:stop])
        line_parts.append(np.full(stop - begin, line))
        x_parts.append(margin + (place[begin:stop] - origin[begin]) * stretch)
        if stop < len(forms) and stop not in starts:
            form_parts.append(np.array([scribe.glyphs.index["-"]]))
            line_parts.append(np.array([line]))
            x_parts.append(x_parts[-1][-1:] + (origin[stop] - place[stop - 1]) * stretch)
        begin = stop
    return Placed(
        np.concatenate(form_parts), np.concatenate(line_parts), np.concatenate(x_parts), initial
    )


def _spell_all(
    words: list[str], scribe: Scribe, rng: np.random.Generator
) -> tuple[list[str], np.ndarray]:
    """Names of all forms of a text, and the places in them where words start."""
    luck = rng.random(3 * sum(len(word) + 1 for word in words)).tolist()
    names: list[str] = []
    starts: list[int] = []
    for word in words:
        starts.append(len(names))
        names += spell(word, scribe.hand, luck)
    return names, np.array(starts)


def _space_out(
    names: list[str], starts: np.ndarray, scribe: Scribe, rng: np.random.Generator, letter: float
) -> tuple[np.ndarray, np.ndarray]:
    """Sets a text in one endless line.

    Returns:
        Where each form's room begins (M + 1,) and where its origin is (M,), in x-heights.
    """
    hand, glyphs = scribe.hand, scribe.glyphs
    widths = glyphs.width[[glyphs.index[name] for name in names]]
    kerning = np.array([kern(a, b) for a, b in zip(names, [*names[1:], ""], strict=True)])
    uneven = 1 + 0.1 * letter * rng.normal(size=len(names))
    advance = widths + hand.gap * (1 - kerning) * uneven
    # What stands over or between letters takes no room; its letter's advance comes after it.
    over = np.flatnonzero([name in OVERLAYS for name in names])
    advance[over] = advance[over - 1]
    advance[over - 1] = 0.0
    offset = np.zeros(len(names))
    centred = np.array([names[i] == "macron" for i in over], bool)
    offset[over] = widths[over - 1] * np.where(centred, 0.5, 1.0)
    advance[starts[1:] - 1] += hand.word_gap * (1 + 0.2 * letter * rng.normal(size=len(starts) - 1))
    origin = np.concatenate([[0.0], np.cumsum(advance)])
    return origin, origin[:-1] + offset


def _break(stop: int, begin: int, starts: np.ndarray) -> int:
    """Moves a line's end to a word's start unless the word can be divided well."""
    at = int(np.searchsorted(starts, stop, side="right"))
    word = int(starts[at - 1])
    following = int(starts[at]) if at < len(starts) else stop
    if (stop - word >= 3 and following - stop >= 3) or word <= begin:
        return stop
    return following if following - stop == 1 else word

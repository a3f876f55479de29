"""Scribes: a lasting personal style within a script type."""

from dataclasses import dataclass

import numpy as np

from dgmp.scribes.glyphs import Glyphs, draw_glyphs
from dgmp.scribes.hand import NAMES, Hand, combine
from dgmp.scribes.script_types import SPREAD, mean_hand
from dgmp.scribes.variation import USUAL, Variation


@dataclass(frozen=True, eq=False)
class Scribe:
    """What stays the same on all pages of one scribe.

    Attributes:
        script_type: One of SCRIPT_TYPES.
        hand: Proportions and habits.
        glyphs: The scribe's letterforms.
        rise: Rise of the written line against the ruling, in pixels per pixel.
        wobble: Standard deviation of the letters' height on the line, in x-heights.
        ease: Standard deviation of the letters' bends from one instance to the next, in x-heights.
        contrast: How much the pressure on the pen changes along the line.
    """

    script_type: str
    hand: Hand
    glyphs: Glyphs
    rise: float
    wobble: float
    ease: float
    contrast: float


def draw_scribe(script_type: str, rng: np.random.Generator, variation: Variation = USUAL) -> Scribe:
    """Draws a scribe of a script type.

    Args:
        script_type: One of SCRIPT_TYPES.
        rng: Source of the scribe's style.
        variation: Its factors scribe and script count here.

    Raises:
        ValueError: If there is no such script type.

    >>> draw_scribe("Uncial", np.random.default_rng(0)).script_type
    'Uncial'
    """
    mean = mean_hand(script_type, variation.script)
    stray = Hand(*rng.normal(size=len(NAMES)).tolist())
    hand = combine(
        lambda centre, spread, draw: centre + variation.scribe * spread * draw, mean, SPREAD, stray
    )
    rise, wobble, ease, contrast = (variation.scribe * rng.normal(size=4)).tolist()
    return Scribe(
        script_type=script_type,
        hand=hand,
        glyphs=draw_glyphs(hand, rng, variation.scribe),
        rise=0.004 * rise,
        wobble=0.025 + 0.008 * min(max(wobble, -2), 2),
        ease=0.03 + 0.008 * min(max(ease, -2), 2),
        contrast=0.1 + 0.03 * min(max(contrast, -2), 2),
    )

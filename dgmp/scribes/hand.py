"""The numbers that describe a hand, and arithmetic on them."""

from collections.abc import Callable
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Hand:
    """Proportions and habits of a hand; lengths in x-heights, angles in degrees, habits in [0, 1].

    Attributes:
        size: X-height over the distance of the baselines.
        slant: Sideways shift per height (tangent of the slant).
        nib_angle: Angle of the pen's edge to the baseline.
        nib: Length of the pen's edge.
        counter: Distance of the two minims of an n.
        gap: Distance between letters.
        word_gap: Distance between words, added to gap.
        roundness: 0 for strokes broken at angles, 1 for continuous curves.
        ascender: Height above the x-height.
        descender: Depth below the baseline.
        head: Length of the wedge at a minim's top.
        foot: Length of the stroke at a minim's foot.
        flick: 0 for feet on the baseline, 1 for feet that rise towards the next letter.
        spring: Height at which arches leave their stem.
        tail: Depth of f and long s below the baseline.
        loop: Habit of looped ascenders.
        link: Habit of hairlines between letters.
        two_storey: Habit of the a with two compartments.
        round_d: Habit of the d with a back that leans left.
        long_s: Habit of the long s inside words.
        round_r: Habit of the 2-shaped r after round letters.
        majuscule: Habit of majuscule forms (a, b, e, m, n, r, t, h) inside words.
        flat_g: Habit of the flat-topped g.
        pointed_u: Habit of v for u at the start of words.
        dotted_i: Habit of a hairline over i.
        abbreviation: Habit of abbreviating.
    """

    size: float
    slant: float
    nib_angle: float
    nib: float
    counter: float
    gap: float
    word_gap: float
    roundness: float
    ascender: float
    descender: float
    head: float
    foot: float
    flick: float
    spring: float
    tail: float
    loop: float
    link: float
    two_storey: float
    round_d: float
    long_s: float
    round_r: float
    majuscule: float
    flat_g: float
    pointed_u: float
    dotted_i: float
    abbreviation: float


NAMES = tuple(field.name for field in fields(Hand))

LOWEST = Hand(
    size=0.25, slant=-0.15, nib_angle=5, nib=0.08, counter=0.34, gap=0.3, word_gap=0.2,
    roundness=0, ascender=0.15, descender=0.15, head=0, foot=0, flick=0, spring=0.3, tail=0,
    loop=0, link=0, two_storey=0, round_d=0, long_s=0, round_r=0, majuscule=0, flat_g=0,
    pointed_u=0, dotted_i=0, abbreviation=0,
)  # fmt: skip
HIGHEST = Hand(
    size=0.55, slant=0.35, nib_angle=60, nib=0.34, counter=0.9, gap=0.85, word_gap=1.2,
    roundness=1, ascender=1.15, descender=1.0, head=0.25, foot=0.25, flick=1, spring=0.92, tail=0.8,
    loop=1, link=1, two_storey=1, round_d=1, long_s=1, round_r=1, majuscule=1, flat_g=1,
    pointed_u=1, dotted_i=1, abbreviation=1,
)  # fmt: skip


def combine(rule: Callable[..., float], *hands: Hand) -> Hand:
    """Applies a rule number by number, keeps the result writable and rounds it.

    Rounding to 1e-6 makes later geometry independent of the last bits of transcendental functions.
    """
    values = {}
    for name in NAMES:
        value = rule(*(getattr(hand, name) for hand in hands))
        bounded = min(max(value, getattr(LOWEST, name)), getattr(HIGHEST, name))
        values[name] = round(float(bounded), 6)
    return Hand(**values)

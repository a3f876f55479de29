"""The minuscule letterforms, shaped by the numbers of a hand.

They are centre lines, each stroke as the pen would lead it. Hershey fonts have no such lines for
medieval scripts: their gothic letters are outlines, which a broad nib would blot.
"""

from dgmp.scribes.hand import Hand
from dgmp.scribes.skeleton import Letter, Point

Stroke = tuple[Point, ...]


class Parts:
    """The strokes that letters share: minims, arches, bowls and ascenders of a hand."""

    def __init__(self, hand: Hand) -> None:
        """Takes the lengths that many letters use from a hand."""
        self.hand = hand
        self.counter = hand.counter
        self.shoulder = 0.78 + 0.26 * hand.roundness
        self.top = 1.0 + hand.ascender
        self.bottom = -hand.descender

    def foot(self, x: float) -> Stroke:
        """The end of a stem: a diamond on the baseline or a flick towards the next letter."""
        hand = self.hand
        return (x, 0.9 * hand.foot * (1 - hand.flick)), (x + hand.foot, 0.28 * hand.flick)

    def head(self, x: float, y: float) -> Stroke:
        """The start of a stem whose top is at height y."""
        return (x - self.hand.head, y - 0.03), (x, y - 0.9 * self.hand.head)

    def minim(self, x: float, y: float = 1.0) -> Stroke:
        """A short stem of height y."""
        return (*self.head(x, y), *self.foot(x))

    def arch(self, x: float, width: float) -> Stroke:
        """From a stem at x over to a second stem and down to its foot."""
        spring = self.hand.spring
        return (
            (x, spring),
            (x + 0.38 * width, 1.02),
            (x + width, self.shoulder),
            *self.foot(x + width),
        )

    def left_bowl(self, width: float) -> Stroke:
        """The left half of a round letter."""
        k = self.shoulder
        return (0.52 * width, 1.02), (0, k), (0, 1 - k), (0.5 * width, -0.02)

    def right_bowl(self, width: float) -> Stroke:
        """The right half of a round letter."""
        k = self.shoulder
        return (0.48 * width, 1.02), (width, k), (width, 1 - k), (0.48 * width, -0.02)

    def open_bowl(self, width: float) -> Stroke:
        """The bowl of a, d and q, whose right side is a stem at width."""
        k = self.shoulder
        return (
            (width, 0.92),
            (0.45 * width, 1.04),
            (0, k - 0.05),
            (0, 1.02 - k),
            (0.42 * width, -0.03),
            (width, 0.28),
        )

    def stem_bowl(self, width: float) -> Stroke:
        """The bowl of b and p, whose left side is a stem at 0."""
        k = self.shoulder
        return (
            (0, 0.72),
            (0.42 * width, 1.02),
            (width, k),
            (width, 1 - k),
            (0.5 * width, -0.02),
            (0, 0.1),
        )

    def ascender(self, x: float, looped: bool) -> Stroke:
        """A tall stem down to, but without, its foot."""
        if not looped:
            return self.head(x, self.top)
        rise = self.hand.ascender
        return (
            (x, 0.85),
            (x + 0.38, 1 + 0.55 * rise),
            (x + 0.3, 1.04 + rise),
            (x + 0.02, 1.02 + rise),
            (x, 1 + 0.6 * rise),
        )


def minuscules(hand: Hand) -> dict[str, Letter]:
    """All minuscule forms of a hand, by letter and, after a stroke, the variant's name."""
    p = Parts(hand)
    c, k, top, bottom = p.counter, p.shoulder, p.top, p.bottom
    rise = hand.ascender
    n, o = c, 1.06 * c
    forms: dict[str, Letter] = {}

    def add(name: str, width: float, *strokes: Stroke) -> None:
        forms[name] = Letter(strokes, width)

    # fmt: off
    add("a/two", 0.95 * c, ((0.1 * c, 0.82), (0.45 * c, 1.06), (0.95 * c, 0.95), *p.foot(0.95 * c)),
        ((0.95 * c, 0.52), (0.3 * c, 0.62), (0, 0.42), (0, 0.1), (0.4 * c, -0.04),
        (0.95 * c, 0.24)))
    add("a/one", 0.98 * c, p.open_bowl(0.98 * c), p.minim(0.98 * c))
    for loop in (False, True):
        tag = "/loop" if loop else ""
        stem = p.ascender(0, loop)
        add("b" + tag, o, (*stem, (0, 0.15), (0.5 * o, -0.02)), p.stem_bowl(o)[:-1])
        add("h" + tag, n, (*stem, *p.foot(0)), (*p.arch(0, n)[:3], (n, 0.2),
            (0.85 * n, -0.12 - 0.3 * hand.tail)))
        add("l" + tag, 0.0, (*stem, *p.foot(0)))
    add("c", 0.78 * c, (*p.left_bowl(0.95 * c), (0.8 * c, 0.14)), ((0.4 * c, 1.02), (0.8 * c, 0.9)))
    add("d/upright", 0.98 * c, p.open_bowl(0.98 * c), (*p.head(0.98 * c, top), *p.foot(0.98 * c)))
    back = (0.5 * o, 1.03), (o, k - 0.1), (o, 1 - k), (0.48 * o, -0.02)
    add("d/round", o, p.left_bowl(o), ((-0.12 * c, 1 + 0.6 * rise), (0.1 * c, 1 + 0.52 * rise),
        *back))
    add("d/round/loop", o, p.left_bowl(o), ((0.55 * c, 1.02), (0.85 * c, 1 + 0.6 * rise),
        (0.6 * c, 1.06 + 0.8 * rise), (0.05 * c, 1 + 0.75 * rise), (0.2 * c, 1 + 0.25 * rise),
        *back))
    add("e", 0.8 * c, (*p.left_bowl(0.98 * c), (0.82 * c, 0.16)), ((0.45 * c, 1.02),
        (0.85 * c, 0.9), (0.78 * c, 0.64), (0.02, 0.47)))
    shaft: Stroke = (0.6 * c, top - 0.14), (0.3 * c, top + 0.03), (0, top - 0.2)
    # A shaft that stays on the line ends in a foot, one that goes below it in a point.
    end: Stroke = ((0, 0.2), (-0.3 * hand.tail, -hand.tail)) if hand.tail > 0.25 else p.foot(0)
    add("f", 0.4 * c, (*shaft, *end), ((-0.25 * c, 0.93), (0.5 * c, 0.97)))
    add("s/long", 0.32 * c, (*shaft, *end), ((-0.2 * c, 0.8), (0, 0.9)))
    add("g/double", 0.95 * c, ((0.95 * c, 0.9), (0.45 * c, 1.03), (0, k - 0.08), (0, 0.36),
        (0.4 * c, 0.2), (0.95 * c, 0.4)), ((0.88 * c, 0.98), (0.95 * c, 0.8), (0.95 * c, 0.05),
        (0.75 * c, 0.75 * bottom), (0.3 * c, bottom), (-0.1 * c, 0.65 * bottom),
        (0.2 * c, 0.1 * bottom)), ((0.85 * c, 0.95), (1.25 * c, 1.0)))
    add("g/flat", 0.85 * c, ((-0.12 * c, 0.95), (1.02 * c, 0.98)), ((0.5 * c, 0.96),
        (0.12 * c, 0.55), (0.7 * c, 0.5), (1.0 * c, 0.0), (0.6 * c, bottom),
        (-0.05 * c, 0.7 * bottom)))
    add("i", 0.0, p.minim(0))
    add("i/dot", 0.0, p.minim(0), ((0.02, 1.22), (0.2, 1.42)))
    add("m", 2 * n, p.minim(0), p.arch(0, n), p.arch(n, n))
    add("n", n, p.minim(0), p.arch(0, n))
    add("o", o, p.left_bowl(o), p.right_bowl(o))
    descent: Stroke = (*p.head(0, 1.02), (0, 0.1), (-0.04 * hand.flick, bottom))
    add("p", o, descent, p.stem_bowl(o))
    add("per", o, descent, p.stem_bowl(o), ((-0.28 * c, 0.6 * bottom), (0.4 * c, 0.45 * bottom)))
    add("q", 0.98 * c, p.open_bowl(0.98 * c),
        ((0.98 * c, 1.0), (0.98 * c, 0.1), (0.98 * c, bottom)))
    add("que", 1.3 * c, *forms["q"].strokes, ((1.2 * c, 0.55), (1.45 * c, 0.5), (1.25 * c, -0.1)))
    add("r", 0.42 * c, p.minim(0), ((0, max(hand.spring, 0.68)), (0.28 * c, 1.02), (0.6 * c, 0.9)))
    add("r/round", 0.45 * c, ((0, 0.86), (0.25 * c, 1.04), (0.55 * c, 0.8), (0.3 * c, 0.45),
        (-0.02, 0.06)), ((-0.02, 0.06), (0.3 * c, 0.1), (0.62 * c, 0.02)))
    add("s/round", 0.68 * c, ((0.68 * c, 0.9), (0.45 * c, 1.05), (0, 0.9), (0.05 * c, 0.58),
        (0.68 * c, 0.44), (0.72 * c, 0.08), (0.35 * c, -0.05), (-0.05 * c, 0.1)))
    add("t", 0.42 * c, ((0.02, 1.1 + 0.15 * rise), (0, 0.95), (0, 1 - k), (0.3 * c, -0.03),
        (0.52 * c, 0.12)), ((-0.25 * c, 0.94), (0.5 * c, 0.98)))
    add("u", n, (*p.head(0, 1.0), (0, 0.1), (0.45 * n, -0.02), (n, 0.35)), p.minim(n))
    add("u/pointed", o, ((-0.18 * c, 1.05 + 0.3 * rise), (0, 0.95), (0, 1 - k), (0.45 * o, -0.02)),
        ((0.4 * o, 1.0), (o, k), (o, 1 - k), (0.45 * o, -0.02)))
    add("x", 0.68 * c, ((-0.1 * c, 0.95), (0.1 * c, 0.92), (0.55 * c, 0.06), (0.8 * c, 0.03)),
        ((0.72 * c, 0.97), (0.3 * c, 0.45), (-0.25 * c, -0.12)))
    add("y", 0.85 * c, ((-0.1 * c, 0.97), (0, 0.85), (0.15 * c, 0.35), (0.5 * c, 0.02)),
        ((0.85 * c, 1.0), (0.8 * c, 0.5), (0.5 * c, 0.0), (0.05 * c, 0.9 * bottom)))
    add("et", 0.55 * c, ((-0.1 * c, 0.85), (0.6 * c, 0.9), (0.25 * c, -0.15)))
    add(".", 0.0, ((-0.03, 0.12), (0.04, 0.04)))
    add(":", 0.1 * c, ((-0.03, 0.12), (0.04, 0.04)), ((-0.02, 0.6), (0.1, 0.72), (0.28, 1.0)))
    add("-", 0.2 * c, ((-0.1, 0.4), (0.25, 0.55)))
    add("macron", 0.0, ((-0.3 * c, 1.22), (0.0, 1.3), (0.35 * c, 1.24)))
    add("link", 0.0, ((0.0, 0.03), (0.35 * hand.gap, 0.06), (0.95 * hand.gap, 0.7)))
    # fmt: on
    return forms

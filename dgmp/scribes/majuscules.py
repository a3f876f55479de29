"""The majuscule letterforms of Uncial, which also serve as capitals in the other scripts."""

from dgmp.scribes.hand import Hand
from dgmp.scribes.minuscules import Parts, Stroke
from dgmp.scribes.skeleton import Letter


def majuscules(hand: Hand) -> dict[str, Letter]:
    """The majuscule forms of a hand, named by capital letters, one x-height tall."""
    p = Parts(hand)
    c, k, bottom, rise = p.counter, p.shoulder, p.bottom, hand.ascender
    o = 1.12 * c
    forms: dict[str, Letter] = {}

    def add(name: str, width: float, *strokes: Stroke) -> None:
        forms[name] = Letter(strokes, width)

    stem: Stroke = (*p.head(0, 1.03), (0, 0.0))
    left, right = p.left_bowl(o), p.right_bowl(o)
    # fmt: off
    add("A", 1.05 * c, ((0.15 * c, 1.02), (0.3 * c, 0.98), (0.95 * c, 0.1), (1.15 * c, 0.0)),
        ((0.55 * c, 0.6), (0.02, 0.36), (0.05 * c, 0.06), (0.35 * c, 0.0), (0.8 * c, 0.32)))
    add("B", 0.85 * c, stem, ((0, 0.97), (0.75 * c, 1.05), (0.75 * c, 0.6), (0, 0.54)), ((0, 0.54),
        (0.95 * c, 0.58), (0.95 * c, 0.0), (0, 0.01)))
    add("C", 0.88 * c, (*left, (0.9 * c, 0.14)), ((0.5 * c, 1.02), (0.9 * c, 0.88)))
    add("D", o, left, ((-0.1 * c, 1.08 + 0.5 * rise), (0.15 * c, 1.04 + 0.45 * rise),
        (0.55 * c, 1.05), (o, k - 0.1), (o, 1 - k), (0.48 * o, -0.02)))
    add("E", 0.88 * c, (*left, (0.92 * c, 0.14)), ((0.5 * c, 1.02), (0.92 * c, 0.92),
        (0.8 * c, 0.74)), ((0, 0.53), (0.85 * c, 0.56)))
    add("F", 0.5 * c, (*p.head(0, 1.02), (0, 0.5 * bottom)), ((0, 1.0), (0.75 * c, 0.96)),
        ((-0.1 * c, 0.42), (0.6 * c, 0.45)))
    add("G", 0.9 * c, (*left, (0.85 * c, 0.2)), ((0.5 * c, 1.02), (0.92 * c, 0.88)),
        ((0.75 * c, 0.38), (0.9 * c, 0.2), (0.7 * c, 0.5 * bottom)))
    add("H", 1.0 * c, (*p.head(0, 1 + 0.7 * rise), *p.foot(0)), ((0, 0.6), (0.4 * c, 1.02),
        (1.05 * c, k), (1.0 * c, 0.1), (0.85 * c, -0.02)))
    add("I", 0.0, (*p.head(0, 1.03), *p.foot(0)))
    add("L", 0.6 * c, (*p.head(0, 1 + 0.7 * rise), (0, 0.1), (0.25 * c, 0.0), (0.75 * c, 0.03)))
    add("M", 1.9 * c, ((0.95 * c, 0.9), (0.5 * c, 1.06), (0, 0.8), (0.02 * c, 0.15),
        (0.3 * c, -0.03)), ((0.95 * c, 1.0), (0.95 * c, 0.0)), ((0.95 * c, 0.9), (1.4 * c, 1.06),
        (1.9 * c, 0.8), (1.88 * c, 0.15), (1.62 * c, -0.03)))
    add("N", 1.05 * c, stem, ((0.0, 0.96), (0.3 * c, 0.7), (0.75 * c, 0.22), (1.05 * c, 0.05)),
        ((1.05 * c, 1.02), (1.05 * c, 0.0)))
    add("O", o, left, right)
    add("P", 0.8 * c, (*p.head(0, 1.02), (0, bottom)), ((0, 0.92), (0.5 * c, 1.08), (0.9 * c, 0.85),
        (0.85 * c, 0.42), (0.05, 0.4)))
    add("Q", o, left, ((0.48 * o, 1.02), (o, k), (o, 0.5), (o, bottom)), ((0.5 * o, -0.02),
        (o, 0.3)))
    add("R", 0.85 * c, stem, ((0, 0.95), (0.75 * c, 1.08), (0.75 * c, 0.55), (0.1 * c, 0.48)),
        ((0.15 * c, 0.5), (0.45 * c, 0.4), (0.7 * c, 0.03), (1.0 * c, 0.02)))
    add("S", 0.75 * c, ((0.75 * c, 0.9), (0.5 * c, 1.05), (0.02, 0.95), (0.05 * c, 0.58),
        (0.75 * c, 0.46), (0.8 * c, 0.05), (0.4 * c, -0.05), (-0.05 * c, 0.1)))
    add("T", 0.75 * c, ((0.35 * c, 0.97), (0.15 * c, 0.6), (0.15 * c, 0.0), (0.55 * c, -0.04),
        (0.8 * c, 0.1)), ((-0.15 * c, 0.9), (0.1 * c, 0.99), (0.85 * c, 0.97)))
    add("U", c, (*p.head(0, 1.02), (0, 0.08), (0.5 * c, -0.06), (c, 0.35)), p.minim(c, 1.02))
    add("X", 0.9 * c, ((0.0, 1.0), (0.2 * c, 0.9), (0.7 * c, 0.1), (0.95 * c, 0.02)),
        ((0.9 * c, 1.0), (0.4 * c, 0.4), (-0.1 * c, -0.1)))
    add("Y", 0.9 * c, ((0, 1.0), (0.1 * c, 0.8), (0.45 * c, 0.35)), ((0.9 * c, 1.02),
        (0.55 * c, 0.45), (0.2 * c, 0.8 * bottom)))
    # fmt: on
    return forms

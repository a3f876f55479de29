"""A scribe's letters as one table of points, deformed by the scribe's lasting ways."""

from dataclasses import dataclass

import numpy as np

from dgmp.scribes.hand import Hand
from dgmp.scribes.majuscules import majuscules
from dgmp.scribes.minuscules import minuscules
from dgmp.scribes.skeleton import Letter, round_corners

CAPITAL_HEIGHT = 1.42


@dataclass(frozen=True, eq=False)
class Glyphs:
    """All letterforms of one scribe, end to end.

    Attributes:
        index: Number of each form by its name; capitals are tagged "/capital".
        points: Points (N, 2) of the centre lines, x right and y up in x-heights.
        stroke: Number (N,) of the stroke within the form that a point belongs to.
        start: Place (G + 1,) of each form's first point.
        width: Distance (G,) from a form's first stem to its last, in x-heights.
    """

    index: dict[str, int]
    points: np.ndarray
    stroke: np.ndarray
    start: np.ndarray
    width: np.ndarray


def capital(letter: Letter) -> Letter:
    """A majuscule enlarged, its first stroke doubled by a hairline as in display letters."""
    strokes = tuple(
        tuple((1.22 * x, CAPITAL_HEIGHT * y if y > 0 else y) for x, y in stroke)
        for stroke in letter.strokes
    )
    if letter.width:
        strokes += (tuple((x + 0.3, 0.12 + 0.84 * y) for x, y in strokes[0]),)
    return Letter(strokes, 1.22 * letter.width + 0.08)


def warp(points: np.ndarray, coefficients: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Displaces points by a quadratic field, so that a letter bends as a whole.

    Args:
        points: Points (n, 2) in x-heights.
        coefficients: Eight numbers for each point (8, n).
        width: Widths (n,) of the letters that the points belong to.

    Returns:
        The displaced points (n, 2).
    """
    a, b, c, d, e, f, g, h = coefficients
    x = points[:, 0] - 0.5 * width
    # Beyond the x-height the field goes on as at its border, or long stems would run away.
    y = np.minimum(np.maximum(points[:, 1] - 0.5, -1.0), 1.0)
    xy, yy = x * y, y * y - 0.25
    return np.stack(
        [
            points[:, 0] + (a * y + b * x + c * yy + d * xy),
            points[:, 1] + (e * x + f * y + g * yy + h * xy),
        ],
        axis=1,
    )


def draw_glyphs(hand: Hand, rng: np.random.Generator, strength: float) -> Glyphs:
    """Gives a hand's letterforms the lasting deformations of one scribe.

    All letters share one bend, each has a bend of its own, and each control point is displaced.

    Args:
        hand: The scribe's hand.
        rng: Source of the deformations.
        strength: Factor on them; 0 leaves the letterforms as the hand sets them.
    """
    large = majuscules(hand)
    forms = (
        minuscules(hand)
        | large
        | {name + "/capital": capital(form) for name, form in large.items()}
    )
    common = rng.normal(size=8) * (0.055, 0.05, 0.045, 0.045, 0.035, 0.03, 0.03, 0.03)
    own = rng.normal(size=(len(forms), 8)) * 0.045
    # Drawn for the most strokes and points a form may have, whether it has them or not.
    joints = rng.normal(size=(len(forms), 8, 1, 2)) * 0.026
    shifts = joints + rng.normal(size=(len(forms), 8, 10, 2)) * 0.028
    width = np.array([letter.width for letter in forms.values()])

    strokes = [
        (form, s, stroke)
        for form, letter in enumerate(forms.values())
        for s, stroke in enumerate(letter.strokes)
    ]
    form, number = np.array([(f, s) for f, s, _ in strokes]).T
    counts = np.array([len(stroke) for _, _, stroke in strokes])
    lengths = 5 * (counts - 2) + 2
    begin = np.cumsum(lengths) - lengths
    points = np.zeros((int(lengths.sum()), 2))
    for count in np.unique(counts).tolist():
        same = np.flatnonzero(counts == count)
        control = np.array([strokes[i][2] for i in same]).reshape(-1, 2)
        owner = np.repeat(form[same], count)
        bend = strength * (common[:, None] + own[owner].T)
        bent = warp(control, bend, width[owner]).reshape(-1, count, 2)
        bent += strength * shifts[form[same], number[same], :count]
        places = begin[same][:, None] + np.arange(lengths[same[0]])
        points[places] = round_corners(bent, hand.roundness)
    sizes = np.bincount(form, weights=lengths).astype(int)
    return Glyphs(
        index={name: number for number, name in enumerate(forms)},
        points=np.round(points, 6),
        stroke=np.repeat(number, lengths),
        start=np.concatenate([[0], np.cumsum(sizes)]),
        width=width,
    )

"""Letters as centre lines of strokes, rounded to a hand's taste."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

Point = tuple[float, float]

_STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Letter:
    """A letter's strokes as control points, x right and y up in x-heights, and its width.

    The origin is where the baseline meets the leftmost stem; the width reaches to the rightmost.
    """

    strokes: tuple[tuple[Point, ...], ...]
    width: float


@lru_cache(maxsize=512)
def _corner_weights(count: int, roundness: float) -> np.ndarray:
    """Weights (samples, count) that turn control points into a line with rounded corners."""
    rows = [np.eye(count)[0]]
    for i in range(1, count - 1):
        # Two roundings share an inner edge; an end of the stroke leaves the whole edge to one.
        before = roundness * (1.0 if i == 1 else 0.5)
        after = roundness * (1.0 if i == count - 2 else 0.5)
        for t in _STEPS:
            row = np.zeros(count)
            row[i - 1] = (1 - t) * (1 - t) * before
            row[i + 1] = t * t * after
            row[i] = 1 - row[i - 1] - row[i + 1]
            rows.append(row)
    rows.append(np.eye(count)[-1])
    return np.stack(rows)


def round_corners(strokes: np.ndarray, roundness: float) -> np.ndarray:
    """Samples strokes whose corners are replaced by quadratic curves.

    Args:
        strokes: Control points (..., n, 2) of strokes, at least two each.
        roundness: 0 leaves the polygon, 1 gives a quadratic B-spline with fixed ends.

    Returns:
        Points (..., 5 (n - 2) + 2, 2).

    >>> round_corners(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]), 0.0)[3].tolist()
    [1.0, 0.0]
    """
    weights = _corner_weights(strokes.shape[-2], roundness)
    points = np.zeros((*strokes.shape[:-2], len(weights), 2))
    # A plain sum in fixed order: matrix products differ in their last bits between machines.
    for i in range(strokes.shape[-2]):
        points += weights[:, i, None] * strokes[..., i, None, :]
    return points

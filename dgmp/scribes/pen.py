"""A broad-nib pen: the area that a short edge covers when it is led along centre lines."""

import math

import cv2
import numpy as np

SUPERSAMPLING = 3
# Coordinates are whole numbers of 1/16 of a subpixel: from here on no rounding can differ.
_FRACTION = 16
# Dots lie at most 1.5 subpixels apart along the path and along the nib; dilation closes the gaps.
_STEP = 24


def write_strokes(
    points: np.ndarray,
    stroke: np.ndarray,
    pressure: np.ndarray,
    *,
    nib: float,
    angle: float,
    height: int,
    width: int,
) -> np.ndarray:
    """Writes strokes with a broad nib.

    The nib is an edge that keeps its angle, so a stroke is thick across the edge and thin along it.

    Args:
        points: Centre lines (N, 2), x right and y down in pixels.
        stroke: Number (N,) of the stroke of each point; a change lifts the pen.
        pressure: Factor (N,) on the length of the nib, at most 2.
        nib: Length of the edge in pixels.
        angle: Its angle to the horizontal in degrees, rising to the right.
        height: Height of the page in pixels.
        width: Width of the page in pixels.

    Returns:
        Share of each pixel that is covered, uint8 (height, width), 255 for all of it.
    """
    unit = SUPERSAMPLING * _FRACTION
    fixed = np.rint(points * unit).astype(np.int64)
    joined = stroke[1:] == stroke[:-1]
    start, end = fixed[:-1][joined], fixed[1:][joined]
    force = np.rint(np.minimum(pressure[:-1][joined], 2.0) * 256).astype(np.int64)

    move = end - start
    steps = np.abs(move).max(axis=1) // _STEP + 1
    segment = np.repeat(np.arange(len(steps)), steps)
    first = np.cumsum(steps) - steps
    along = np.arange(len(segment)) - first[segment]
    steps, push = steps[segment], force[segment]
    x = start[segment, 0] + move[segment, 0] * along // steps
    y = start[segment, 1] + move[segment, 1] * along // steps
    inside = (x >= 0) & (x < width * unit) & (y >= 0) & (y < height * unit)
    x, y, push = x[inside], y[inside], push[inside]

    half_x = round(0.5 * nib * unit * math.cos(math.radians(angle)))
    half_y = round(0.5 * nib * unit * math.sin(math.radians(angle)))
    count = 2 * max(half_x, half_y) // _STEP + 2
    margin = 2 + (2 * max(half_x, half_y)) // _FRACTION
    rows, columns = height * SUPERSAMPLING + 2 * margin, width * SUPERSAMPLING + 2 * margin
    canvas = np.zeros((rows, columns), np.uint8)
    dots = canvas.reshape(-1)
    for k in range(count):
        share = 256 * (2 * k - count + 1) // (count - 1)
        column = (x + (push * (half_x * share) >> 16)) // _FRACTION + margin
        # The edge rises to the right while y counts downwards.
        row = (y - (push * (half_y * share) >> 16)) // _FRACTION + margin
        dots[row * columns + column] = 255
    closed = cv2.dilate(canvas, np.ones((3, 3), np.uint8))
    page = np.ascontiguousarray(closed[margin : rows - margin, margin : columns - margin])
    return cv2.resize(page, (width, height), interpolation=cv2.INTER_AREA)

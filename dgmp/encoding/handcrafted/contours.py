"""Contours of ink as closed lists of points."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True, eq=False)
class Contours:
    """Closed contours, one after the other.

    Attributes:
        points: int32 (N, 2), x and y of the ink pixels along the contours; the pixel after the
            last of a contour is its first, and neighbours touch by a side or a corner.
        lengths: int64 (C,), how many of the points belong to each contour.
    """

    points: np.ndarray
    lengths: np.ndarray

    def further(self, steps: int) -> np.ndarray:
        """Index (N,) of the point that lies `steps` points further along the same contour.

        >>> Contours(np.zeros((5, 2), np.int32), np.array([3, 2])).further(1).tolist()
        [1, 2, 0, 4, 3]
        """
        length = np.repeat(self.lengths, self.lengths)
        start = np.repeat(np.cumsum(self.lengths) - self.lengths, self.lengths)
        return start + (np.arange(len(self.points)) - start + steps) % length

    def at_least(self, points: int) -> Contours:
        """The contours of at least so many points."""
        keep = self.lengths >= points
        return Contours(self.points[np.repeat(keep, self.lengths)], self.lengths[keep])


def find_contours(mask: np.ndarray) -> Contours:
    """All contours of a mask uint8 (H, W) of ink, those of holes among them.

    Ink is connected through corners too. Along a contour the ink lies on one side: outer contours
    run counterclockwise on the page, those of holes clockwise (Suzuki and Abe, 1985).
    """
    found, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    if not found:
        return Contours(np.empty((0, 2), np.int32), np.empty(0, np.int64))
    lengths = np.array([len(contour) for contour in found], dtype=np.int64)
    return Contours(np.concatenate(found).reshape(-1, 2), lengths)

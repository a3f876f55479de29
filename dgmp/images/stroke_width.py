"""Stroke width: how many pixels the pen is wide on a binary page."""

import cv2
import numpy as np

from dgmp.images.binarization import INK


def stroke_width(page: np.ndarray) -> float:
    """Estimate the width of the strokes on a binary page uint8 (H, W) with ink 0, in pixels.

    The median, over the ridge of the distance to the background, of twice that distance. The ridge
    is where no neighbour of a pixel lies deeper in the ink. The median ignores what blots and
    specks there are, as long as they have less ridge than the writing. Distances are taken on a
    page of twice the size, on which the two middle rows of a stroke are as far from the background
    as the stroke is wide on the page itself, be that even or odd.

    Returns:
        Width in pixels, 0 for a page without ink.

    Raises:
        ValueError: the page is not uint8 (H, W).

    >>> page = np.full((40, 60), 255, np.uint8)
    >>> page[10:16, 5:55] = 0
    >>> stroke_width(page)
    6.0
    """
    if page.dtype != np.uint8 or page.ndim != 2 or page.size == 0:
        raise ValueError(f"stroke_width takes a page uint8 (H, W), got {page.dtype} {page.shape}")
    left, top, width, height = cv2.boundingRect((page == INK).view(np.uint8))
    if width == 0:
        return 0.0
    ink = (page[top : top + height, left : left + width] == INK).view(np.uint8)
    twice = cv2.copyMakeBorder(ink.repeat(2, 0).repeat(2, 1), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    depth = cv2.distanceTransform(twice, cv2.DIST_L2, cv2.DIST_MASK_5)
    ridge = (depth == cv2.dilate(depth, np.ones((3, 3), np.uint8))) & (twice > 0)
    return float(np.median(depth[ridge]))

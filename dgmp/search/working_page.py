"""A page at the size at which it is described: writing of one height, whatever scanned it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dgmp.images.binarization import BACKGROUND, INK, binarize
from dgmp.images.negatives import turn_positive

# Width of the pen in pixels to which pages are scaled. With 3, 96.4 % of the nearest pages of the
# 475 training pages of manuscripts were right (mAP 92.9), about as many as at a line pitch of 32
# pixels (96.8, 92.7), where pens are 4 wide and describing takes a third longer.
PEN = 3.0

# Scans are enlarged at most so much: what is not in them does not come back.
LARGEST_SCALE = 3.0

# Pixels of a working page at most; a page of a codex has half a million to one million.
MOST_PIXELS = 6_000_000

# Pixels at which the pen is measured. Where it is narrower than this, it is measured again at twice
# the size, because the estimate is good to half a pixel, on the middle of the page.
MEASURED_PIXELS, NARROW = 2_000_000, 5.0

# Ink is told from paper at this many times the size of the working page.
FINER = 2.0

# Side of Sauvola's neighbourhood in widths of the pen: about one line pitch.
WINDOW_IN_PENS = 8

# What covers less than this part of a square as wide as the pen is a speck, not a dot.
SPECK = 0.5


@dataclass(frozen=True)
class WorkingPage:
    """A page at the size at which it is described.

    Attributes:
        grey: uint8 (H, W), as a person sees it.
        ink: uint8 (H, W), the writing alone, black on white with soft edges; what is described.
        scale: Pixels of it for one pixel of the scan.
        pen: Width of the pen on the scan, in pixels; 0 on a page without ink.
    """

    grey: np.ndarray
    ink: np.ndarray
    scale: float
    pen: float


def working_page(scan: np.ndarray, text: np.ndarray | None = None) -> WorkingPage:
    """Scale a page uint8 (H, W) so that its pen is `PEN` pixels wide, and find its ink.

    Args:
        scan: Grey or binary; light writing on dark ground is turned round.
        text: bool (H, W), where writing counts; None: everywhere.

    Raises:
        ValueError: the page is not uint8 (H, W), or `text` has another shape.

    >>> page = np.full((400, 600), 230, np.uint8)
    >>> for top in range(50, 350, 50):
    ...     page[top : top + 8] = 20
    >>> working_page(page).grey.shape
    (160, 240)
    """
    if scan.dtype != np.uint8 or scan.ndim != 2 or scan.size == 0:
        raise ValueError(f"working_page takes a page uint8 (H, W), got {scan.dtype} {scan.shape}")
    if text is not None and text.shape != scan.shape:
        raise ValueError(f"text must be of the page's shape {scan.shape}, got {text.shape}")
    scan, _ = turn_positive(scan, "auto")
    pen = _pen_of(scan, text)
    scale = min(PEN / pen, LARGEST_SCALE) if pen else 1.0
    scale = min(scale, (MOST_PIXELS / scan.size) ** 0.5)
    finer = _resized(scan, min(FINER * scale, max(1.0, scale)))
    window = round(WINDOW_IN_PENS * PEN * FINER)
    ink = _without_specks(_inside(_binarized(finer, window), text), SPECK * (PEN * FINER) ** 2)
    shape = _scaled(scan.shape, scale)
    return WorkingPage(_resized_to(finer, shape), _resized_to(ink, shape), scale, pen)


def pen_width(ink: np.ndarray) -> float:
    """Width of the pen on a binary page uint8 (H, W) with ink 0, in pixels; 0 without ink.

    The median of the width of the stroke that a pixel of ink is in: twice the distance to the
    background along the ridge of that distance, each counted as often as it is wide. Specks hold
    little ink, so that their number does not matter, as it does to a median over the ridge.
    """
    inside = cv2.copyMakeBorder((ink == INK).view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_5)
    ridge = (depth == cv2.dilate(depth, np.ones((3, 3), np.uint8))) & (inside > 0)
    rising = np.sort(depth[ridge])
    if not len(rising):
        return 0.0
    held = rising.cumsum(dtype=np.float64)
    # The deepest row of a stroke of 2 d - 1 or of 2 d pixels has the depth d.
    return float(2 * rising[np.searchsorted(held, held[-1] / 2)] - 0.5)


def _pen_of(scan: np.ndarray, text: np.ndarray | None) -> float:
    """Width of the pen of a page in its own pixels."""
    scale = min(1.0, (MEASURED_PIXELS / scan.size) ** 0.5)
    width = _measured(scan, text, scale)
    if not 0 < width < NARROW:
        return width / scale
    top, left = (side // 4 for side in scan.shape)
    middle = slice(top, -top or None), slice(left, -left or None)
    again = _measured(scan[middle], None if text is None else text[middle], 2 * scale)
    return again / (2 * scale) or width / scale


def _measured(scan: np.ndarray, text: np.ndarray | None, scale: float) -> float:
    page = _resized(scan, scale)
    # The line pitch is not known yet; a page has 20 to 60 lines.
    return pen_width(_inside(_binarized(page, max(page.shape) // 30), text))


def _inside(ink: np.ndarray, text: np.ndarray | None) -> np.ndarray:
    """The ink where writing counts."""
    if text is None:
        return ink
    inside = cv2.resize(text.view(np.uint8), ink.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return np.where(inside > 0, ink, np.uint8(BACKGROUND))


def _without_specks(ink: np.ndarray, least: float) -> np.ndarray:
    """The ink without components of fewer pixels than `least`."""
    _, numbers, found, _ = cv2.connectedComponentsWithStats((ink == INK).view(np.uint8))
    kept = found[:, cv2.CC_STAT_AREA] >= least
    kept[0] = False  # the background
    return np.where(kept[numbers], np.uint8(INK), np.uint8(BACKGROUND))


def _binarized(page: np.ndarray, window: int) -> np.ndarray:
    method = "sauvola" if min(page.shape) >= 3 else "otsu"
    return binarize(page, method, window=max(window, 3))


def _resized(page: np.ndarray, scale: float) -> np.ndarray:
    return _resized_to(page, _scaled(page.shape, scale))


def _scaled(shape: tuple[int, ...], scale: float) -> tuple[int, ...]:
    return tuple(max(1, round(side * scale)) for side in shape)


def _resized_to(page: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if page.shape == shape:
        return page
    smaller = shape[0] <= page.shape[0]
    return cv2.resize(
        page, shape[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    )

"""The ink of a binary page, and how little of it tells nothing."""

import cv2
import numpy as np

from dgmp.images.binarization import BACKGROUND, INK

MIN_INK_PIXELS = 1000
"""Pages with fewer ink pixels are pages without information: about ten letters.

A connected component of at least 30 pixels has 85 ink pixels (median of 40 training pages of the
profile manuscripts, at half size); the page with least ink of these has 9,325.
"""


def ink_mask(page: np.ndarray) -> np.ndarray:
    """Ink of a binary page uint8 (H, W), as uint8 (H, W) of 1 for ink and 0 for background.

    Raises:
        ValueError: the page is not uint8 (H, W), or has other values than ink and background.

    >>> ink_mask(np.array([[0, 255]], np.uint8))
    array([[1, 0]], dtype=uint8)
    """
    if page.dtype != np.uint8 or page.ndim != 2 or page.size == 0:
        raise ValueError(f"a binary page is uint8 (H, W), got {page.dtype} {page.shape}")
    counts = cv2.calcHist([page], [0], None, [256], [0, 256]).reshape(-1)
    counts[[INK, BACKGROUND]] = 0
    if counts.any():
        raise ValueError(
            f"a binary page has only {INK} (ink) and {BACKGROUND} (background), got "
            f"{int(np.flatnonzero(counts)[0])}: binarize it first"
        )
    return (page == INK).view(np.uint8)


def has_information(mask: np.ndarray) -> bool:
    """Whether a mask of `ink_mask` has at least `MIN_INK_PIXELS` of ink."""
    return int(np.count_nonzero(mask)) >= MIN_INK_PIXELS

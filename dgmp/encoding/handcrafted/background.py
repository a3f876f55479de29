"""Nuisance baseline: the paper around the ink, without the ink."""

import cv2
import numpy as np

from dgmp.encoding.handcrafted.ink import has_information, ink_mask

INK_MARGIN = 5
"""Pixels around the ink that are taken away with it: soft edges of strokes would show them."""

GREY_BINS = 64
PATTERNS = 256

_NEIGHBOURS = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))


def background(page: np.ndarray, binary: np.ndarray) -> np.ndarray:
    """Histogram of grey values and of local binary patterns of the paper, the ink removed.

    Where a label is a codex, pages of one label share parchment, light and camera: what this
    descriptor finds is not handwriting. Paper is what lies farther than `INK_MARGIN` from ink of
    the binary page, in a square around it; ink that the binarization missed, and rulings, stay.
    A pattern has bit k set where the neighbour at 45° k, counterclockwise from the right, is at
    least as light as the pixel; patterns are taken where all neighbours are paper. Own metric: L1.

    Args:
        page: grey page uint8 (H, W), at the size of the binary one.
        binary: its binary page uint8 (H, W).

    Returns:
        float32 (320,): 64 grey values from dark to light, of sum ½, and 256 patterns of sum ½;
        zeros for a page without information: too little ink, no paper, or paper of one tone, as on
        a page that was binary from the start.

    Raises:
        ValueError: the grey page is not uint8, the other is not binary, or the sizes differ.
    """
    if page.dtype != np.uint8 or page.shape != binary.shape:
        raise ValueError(
            f"background takes a grey page uint8 of the binary page's size, got {page.dtype} "
            f"{page.shape} beside {binary.shape}: resize the grey page to the binary one"
        )
    mask = ink_mask(binary)
    paper = 1 - _dilated(mask, INK_MARGIN)
    inner = 1 - _dilated(1 - paper, 1)
    # Patterns need neighbours on the page.
    inner[[0, -1]] = 0
    inner[:, [0, -1]] = 0
    tones = page[paper.view(bool)]
    if not has_information(mask) or not inner.any() or tones.min() == tones.max():
        return np.zeros(GREY_BINS + PATTERNS, np.float32)
    grey = np.bincount(tones // (256 // GREY_BINS), minlength=GREY_BINS)
    patterns = np.bincount(_patterns(page)[inner.view(bool)], minlength=PATTERNS)
    halves = [grey / grey.sum(), patterns / patterns.sum()]
    return (np.concatenate(halves) / 2).astype(np.float32)


def _patterns(page: np.ndarray) -> np.ndarray:
    """Local binary pattern of each pixel, uint8 (H, W); 0 on the outermost ones."""
    height, width = page.shape
    patterns = np.zeros_like(page)
    centres = page[1:-1, 1:-1]
    for bit, (down, right) in enumerate(_NEIGHBOURS):
        neighbours = page[1 + down : height - 1 + down, 1 + right : width - 1 + right]
        patterns[1:-1, 1:-1] |= (neighbours >= centres).view(np.uint8) << bit
    return patterns


def _dilated(mask: np.ndarray, margin: int) -> np.ndarray:
    side = 2 * margin + 1
    return cv2.dilate(mask, np.ones((side, side), np.uint8))

"""The text block of a page, cut out by its baselines and brought to one line pitch."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from dgmp.scans.baselines import Baselines

LEAST_LINES = 4
"""Of a block that counts: shorter ones are headings and additions."""
OTHER = ("margin", "number", "runningtitle", "dropcapital", "stamp")
"""Parts of the kinds of block that are no main text, as SegmOnto names them."""
SAME_LINE = 5
"""Pixels: baselines of a block that are no further apart belong to one line in several parts."""
ENDS = (2, 98)
"""Percentiles of the baselines' ends: single lines may run into a margin."""
ABOVE, BELOW, BESIDE = 1.0, 0.5, 0.3
"""Around the text, in line pitches."""
LINE_PITCH = 64
"""Pixels, of the page that is cut out."""
LARGEST = (2400, 2000)
"""Height and width of the page that is cut out, from the top left."""
SCALES = (0.1, 3.0)
"""A factor outside is due to lines that were mistaken."""


class TextBlock(NamedTuple):
    """Where the text is, in pixels of the image, and the factor to a pitch of `LINE_PITCH`."""

    left: int
    top: int
    right: int
    bottom: int
    scale: float


def find_text_block(lines: Baselines, height: int, width: int) -> TextBlock:
    """Find where the main text of a page is; the line pitch is the median distance of baselines.

    Args:
        lines: The baselines.
        height: Of the image in pixels.
        width: Of the image in pixels; baselines are scaled to it by the layout's own width.

    Raises:
        ValueError: no block has enough lines, or their pitch is none of handwriting.
    """
    unit = width / lines.width if lines.width else 1.0
    blocks = [
        [baseline * unit for baseline in block.baselines]
        for block in lines.blocks
        if len(block.baselines) >= LEAST_LINES and not any(part in block.kind for part in OTHER)
    ]
    heights = [np.sort([np.median(line[:, 1]) for line in block]) for block in blocks]
    steps = np.concatenate([np.diff(block) for block in heights] or [np.empty(0)])
    steps = steps[steps > SAME_LINE]
    if not len(steps):
        raise ValueError(f"no text block with {LEAST_LINES} lines that have baselines")
    pitch = float(np.median(steps))
    scale = LINE_PITCH / pitch
    if not SCALES[0] <= scale <= SCALES[1]:
        raise ValueError(
            f"a line pitch of {pitch:.1f} pixels is scaled by {scale:.2f}, allowed are factors "
            f"from {SCALES[0]:g} to {SCALES[1]:g}"
        )
    every = [line for block in blocks for line in block]
    left = np.percentile([line[:, 0].min() for line in every], ENDS[0]) - BESIDE * pitch
    right = np.percentile([line[:, 0].max() for line in every], ENDS[1]) + BESIDE * pitch
    top = min(block[0] for block in heights) - ABOVE * pitch
    bottom = max(block[-1] for block in heights) + BELOW * pitch
    found = TextBlock(
        max(0, int(left)), max(0, int(top)), min(width, int(right)), min(height, int(bottom)), scale
    )
    if found.right <= found.left or found.bottom <= found.top:
        raise ValueError(f"the text block is outside the image of {height} x {width} pixels")
    return found


def cut_text_block(image: np.ndarray, block: TextBlock) -> np.ndarray:
    """Cut out a text block in grey, uint8 of at most `LARGEST`, with a pitch of `LINE_PITCH`.

    Args:
        image: uint8 (H, W, 3), blue first.
        block: Of that image.
    """
    part = image[block.top : block.bottom, block.left : block.right]
    grey = cv2.cvtColor(part, cv2.COLOR_BGR2GRAY)
    method = cv2.INTER_AREA if block.scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(grey, None, fx=block.scale, fy=block.scale, interpolation=method)
    return scaled[: LARGEST[0], : LARGEST[1]]


def binarize_by_boxes(
    page: np.ndarray, *, window: int = LINE_PITCH + 1, k: float = 0.2, blur: float = 0.8
) -> np.ndarray:
    """Ink (0) and paper (255) of a grey page, by Sauvola's rule on a slightly blurred page.

    Paper is where a pixel is above mean (1 + k (deviation / 128 - 1)), both over a square window
    (Sauvola and Pietikäinen, 2000) that the page's edges are reflected into.

    Args:
        page: Grey, uint8 (H, W).
        window: Side of the square in pixels.
        k: Weight of the deviation.
        blur: Standard deviation of the Gaussian blur in pixels.
    """
    smooth = cv2.GaussianBlur(page, (0, 0), blur).astype(np.float32)
    mean = cv2.boxFilter(smooth, -1, (window, window))
    square = cv2.boxFilter(smooth * smooth, -1, (window, window))
    deviation = np.sqrt(np.maximum(square - mean * mean, 0))
    paper = smooth > mean * (1 + k * (deviation / 128 - 1))
    return np.where(paper, np.uint8(255), np.uint8(0))

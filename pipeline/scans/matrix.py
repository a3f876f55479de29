"""The similarity of the pages of a codex in their order, as a picture."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MOST_CELLS = 1000  # pixels along a side; a longer codex is shown with fewer
# From paper to ink, by way of the blue of the report's links.
STOPS = np.array([[250, 249, 244], [176, 205, 230], [60, 120, 180], [10, 40, 90]], np.float64)
LEVELS = 48  # shades; fewer compress better, more are not seen


def shade_range(scores: NDArray[np.float32]) -> tuple[float, float]:
    """The scores shown as paper and as full ink: median and 99.5 % quantile of all pairs."""
    pairs = scores[np.triu_indices(len(scores), 1)]
    if not pairs.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.quantile(pairs, [0.5, 0.995]))
    return low, max(high, low + 1e-6)


def matrix_picture(scores: NDArray[np.float32], shades: tuple[float, float]) -> bytes:
    """Similarity matrix as a lossless WebP of a pixel a pair, dark where pages are alike.

    Args:
        scores: (m, m), nan on the diagonal, in page order.
        shades: The scores shown as paper and as full ink.
    """
    step = -(-len(scores) // MOST_CELLS)
    low, high = shades
    share = np.clip((np.nan_to_num(scores[::step, ::step], nan=high) - low) / (high - low), 0, 1)
    place = np.linspace(0, len(STOPS) - 1, LEVELS)
    palette = np.stack([np.interp(place, np.arange(len(STOPS)), c) for c in STOPS.T], axis=1)
    picture = np.rint(palette).astype(np.uint8)[np.rint(share * (LEVELS - 1)).astype(int)]
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", lossless=True, quality=60, method=3)
    return file.getvalue()

"""Nuisance baseline: what a page's layout and ink tell, without the shape of its handwriting."""

import numpy as np

from dgmp.encoding.handcrafted.ink import has_information, ink_mask
from dgmp.images.stroke_width import stroke_width

NAMES = (
    "height",
    "width",
    "ink_ratio",
    "stroke_width",
    "line_pitch",
    "text_top",
    "text_left",
    "text_height",
    "text_width",
)

_OUTSIDE = 0.01
"""Part of the ink on each side of the text block: specks and page edges lie there."""

_PITCHES = (8, 200)
"""Pixels of the smallest and largest line pitch that is looked for."""

_MIN_CORRELATION = 0.3
"""Least autocorrelation of the rows' ink at the line pitch: 4 standard deviations of 400 rows of
noise. On 159 training pages of the profile manuscripts, whose pitch is known to be 32 pixels, 94 %
come within 10 % of it and 1 % have none; with 0.1 it is 95 % and none.
"""


def page_statistics(page: np.ndarray) -> np.ndarray:
    """The numbers `NAMES` of a binary page, in pixels but for the ratio.

    Where a label is a codex, pages of one label share size, layout and pen: a system of
    handwriting must be better than this. The numbers have different units. The caller must
    standardize the columns by mean and standard deviation of the training pages. Own metric, after
    that: euclidean.

    - `ink_ratio`: ink pixels per pixel of the page.
    - `stroke_width`: see `dgmp.images.stroke_width`.
    - `line_pitch`: the first strong period of the ink per row; 0 if there is none.
    - `text_top`, `text_left`, `text_height`, `text_width`: the block that holds all but 1 % of the
      ink on each side.

    Returns:
        float32 (9,); zeros for a page without information.

    Raises:
        ValueError: the page is not binary.
    """
    mask = ink_mask(page)
    if not has_information(mask):
        return np.zeros(len(NAMES), np.float32)
    height, width = mask.shape
    rows = mask.sum(axis=1, dtype=np.float64)
    top, bottom = _block(rows)
    left, right = _block(mask.sum(axis=0, dtype=np.float64))
    values = {
        "height": height,
        "width": width,
        "ink_ratio": rows.sum() / mask.size,
        "stroke_width": stroke_width(page),
        "line_pitch": line_pitch(rows[top:bottom]),
        "text_top": top,
        "text_left": left,
        "text_height": bottom - top,
        "text_width": right - left,
    }
    return np.array([values[name] for name in NAMES], dtype=np.float32)


def line_pitch(rows: np.ndarray) -> float:
    """Distance of text lines in pixels from the ink per row (H,); 0 if no period is found.

    It is the highest peak of the autocorrelation beyond its first valley, or the first peak that
    is nearly as high, so that a multiple of the pitch does not win; a parabola through the
    peak's neighbours gives fractions of a pixel.
    """
    least, most = _PITCHES
    most = min(most, len(rows) // 2)
    centred = rows - rows.mean()
    energy = float(centred @ centred)
    if most <= least or not energy:
        return 0.0
    # Unbiased: a lag of l has n - l products.
    lags = np.arange(most + 2)
    products = np.correlate(centred, centred, "full")[len(rows) - 1 :][: len(lags)]
    correlation = products / energy * len(rows) / (len(rows) - lags)
    inner = correlation[1:-1]
    peaks = 1 + np.flatnonzero((inner > correlation[:-2]) & (inner >= correlation[2:]))
    peaks = peaks[(peaks >= least) & (correlation[peaks] >= _MIN_CORRELATION)]
    if not len(peaks):
        return 0.0
    heights = correlation[peaks]
    peak = int(peaks[np.argmax(heights >= 0.8 * heights.max())])
    before, at, after = correlation[peak - 1 : peak + 2]
    return float(peak + 0.5 * (before - after) / (before - 2 * at + after))


def _block(ink: np.ndarray) -> tuple[int, int]:
    """First and end of the rows, or columns, that hold all but `_OUTSIDE` of ink on each side."""
    part = np.cumsum(ink) / ink.sum()
    first = int(np.searchsorted(part, _OUTSIDE, side="right"))
    last = int(np.searchsorted(part, 1 - _OUTSIDE, side="left"))
    return first, last + 1

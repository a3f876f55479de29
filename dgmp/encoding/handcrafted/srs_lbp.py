"""Sparse radial sampling LBP (SRS-LBP): local binary patterns of ink at many radii."""

import math

import cv2
import numpy as np

from dgmp.encoding.handcrafted.ink import has_information, ink_mask

SAMPLES = 8
PATTERNS = 2**SAMPLES


def srs_lbp(page: np.ndarray, radii: tuple[int, ...] = tuple(range(1, 13))) -> np.ndarray:
    """Histograms of local binary patterns of 8 samples at each radius.

    Sample k lies at the angle 45° k, counterclockwise on the page from the right, interpolated
    from four pixels and rounded. Its bit is set where the sample is lighter than the centre by
    more than the threshold, Otsu's of the absolute differences of all samples of that radius:
    where it reaches the upper of Otsu's two classes. Centres nearer to the border than the radius
    are left out. Pattern 0, no sample lighter, says nothing and is emptied; on a binary page that
    leaves the patterns of ink pixels near paper (Nicolaou et al., 2015, Sparse radial sampling
    LBP for writer identification). Own metric: cosine; in the paper after PCA to 200 dimensions,
    signed root and ℓ2.

    Args:
        page: binary page uint8 (H, W).
        radii: in pixels.

    Returns:
        float32 (256 len(radii),), each radius of sum 1, or 0 where it has no pattern; zeros for a
        page without information.

    Raises:
        ValueError: the page is not binary, or a radius is below 1.
    """
    if min(radii, default=0) < 1:
        raise ValueError(f"radii must be at least 1, got {radii}")
    mask = ink_mask(page)
    histograms = np.zeros((len(radii), PATTERNS), np.float32)
    if not has_information(mask):
        return histograms.reshape(-1)
    for histogram, radius in zip(histograms, radii, strict=True):
        if min(page.shape) <= 2 * radius:
            continue
        patterns = _patterns(page, radius)
        counts = cv2.calcHist([patterns], [0], None, [PATTERNS], [0, PATTERNS]).reshape(-1)
        counts[0] = 0
        histogram[:] = counts / max(1, counts.sum())
    return histograms.reshape(-1)


def _patterns(page: np.ndarray, radius: int) -> np.ndarray:
    """Pattern of each pixel that is at least `radius` from the border, uint8."""
    height, width = page.shape
    centres = page[radius : height - radius, radius : width - radius]
    samples = [_sampled(page, radius, math.tau * k / SAMPLES) for k in range(SAMPLES)]
    differences = np.zeros(PATTERNS, np.int64)
    for sample in samples:
        counts = cv2.calcHist([cv2.absdiff(sample, centres)], [0], None, [256], [0, 256])
        differences += counts.reshape(-1).astype(np.int64)
    threshold = _otsu(differences)
    patterns: np.ndarray = np.zeros(centres.shape, np.uint8)
    for k, sample in enumerate(samples):
        lighter = cv2.subtract(sample, centres)
        bit = cv2.threshold(lighter, threshold, 1 << k, cv2.THRESH_BINARY)[1]
        patterns = cv2.bitwise_or(patterns, bit)
    return patterns


def _sampled(page: np.ndarray, radius: int, angle: float) -> np.ndarray:
    """The page at `radius` and `angle` from each pixel at least `radius` from the border."""
    height, width = page.shape
    # Rounded, so that the sine of 180 degrees is 0 and takes one pixel, not two.
    x = round(radius * math.cos(angle), 9)
    y = round(-radius * math.sin(angle), 9)
    left, top = math.floor(x), math.floor(y)
    right, bottom = x - left, y - top
    rows = slice(radius + top, height - radius + top + 1)
    columns = slice(radius + left, width - radius + left + 1)
    weights = np.outer([1 - bottom, bottom], [1 - right, right])
    if not right and not bottom:
        return page[rows, columns][: height - 2 * radius, : width - 2 * radius]
    # The kernel's anchor is its top left pixel; the row and column beyond are only its reach.
    around = page[rows, columns]
    return cv2.filter2D(around, -1, weights, anchor=(0, 0))[:-1, :-1]


def _otsu(counts: np.ndarray) -> int:
    """Otsu's threshold of a histogram: the last value of the lower class (Otsu, 1979)."""
    values = np.arange(len(counts))
    below = np.cumsum(counts)[:-1].astype(np.float64)
    above = counts.sum() - below
    sums = np.cumsum(counts * values).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = sums[:-1] / below - (sums[-1] - sums[:-1]) / above
    return int(np.argmax(np.nan_to_num(below * above * gap**2)))

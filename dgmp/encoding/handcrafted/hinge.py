"""Hinge and CoHinge: how ink contours bend."""

import math

import numpy as np

from dgmp.encoding.handcrafted.contours import Contours, find_contours
from dgmp.encoding.handcrafted.ink import has_information, ink_mask


def hinge(page: np.ndarray, leg: int = 5, bins: int = 40) -> np.ndarray:
    """Joint histogram of the directions of two legs that meet at a contour point.

    From each point of an ink contour one leg reaches `leg` points ahead along the contour, the
    other as many back. The directions of both, φ1 ≤ φ2 by their bins, are counted; the pairs
    (0, 0), (0, 1), … (1, 1), … stand one after the other (Bulacu and Schomaker, 2007,
    Text-independent writer identification and verification using textural and allographic
    features). Own metric: chi-squared.

    The defaults are the best of legs from 3 to 20 and of 24, 32 and 40 bins on the 475 training
    pages of the profile manuscripts: 81.8 mAP; 80.8 with 24 bins, 67.5 with legs of 20.

    Args:
        page: binary page uint8 (H, W).
        leg: points from the hinge to the end of a leg; contours whose legs would meet are left
            out, those of at most 2 leg points.
        bins: of the full circle; the descriptor has bins (bins + 1) / 2 values.

    Returns:
        float32 (bins (bins + 1) / 2,) of sum 1; zeros for a page without information.

    Raises:
        ValueError: the page is not binary, or leg or bins is below 1.
    """
    _require_positive(leg=leg, bins=bins)
    contours = _contours_of_page(page, 2 * leg + 1)
    ahead, behind = _leg_directions(contours, leg, bins)
    pairs = np.minimum(ahead, behind) * bins + np.maximum(ahead, behind)
    counts = np.bincount(pairs, minlength=bins**2).reshape(bins, bins)
    return _of_sum_one(counts[np.triu_indices(bins)])


def cohinge(page: np.ndarray, leg: int = 4, distance: int = 7, bins: int = 10) -> np.ndarray:
    """Joint histogram of the hinges at two contour points that are a distance apart.

    Counts the directions of the legs ahead and back at a contour point, and of those at the point
    `distance` further along the contour, in this order (He and Schomaker, 2017, Beyond OCR:
    multi-faceted understanding of handwritten document characteristics). The legs are not
    sorted: which one runs ahead says on which side the ink is. Own metric: chi-squared.

    The defaults are the best of legs from 3 to 14 and distances from 5 to 15 on the 475 training
    pages of the profile manuscripts: 86.0 mAP; the worst reach 76.8.

    Args:
        page: binary page uint8 (H, W).
        leg: points from the hinge to the end of a leg; contours of at most 2 leg points are left
            out.
        distance: points along the contour between the hinges.
        bins: of the full circle; the descriptor has bins⁴ values.

    Returns:
        float32 (bins⁴,) of sum 1; zeros for a page without information.

    Raises:
        ValueError: the page is not binary, or leg, distance or bins is below 1.
    """
    _require_positive(leg=leg, distance=distance, bins=bins)
    contours = _contours_of_page(page, 2 * leg + 1)
    ahead, behind = _leg_directions(contours, leg, bins)
    hinges = ahead * bins + behind
    pairs = hinges * bins**2 + hinges[contours.further(distance)]
    return _of_sum_one(np.bincount(pairs, minlength=bins**4))


def direction_bins(vectors: np.ndarray, bins: int) -> np.ndarray:
    """Bin int64 (N,) of the direction of vectors (N, 2) in pixels, x to the right and y down.

    Directions run counterclockwise on the page from 0, to the right, which lies in bin 0.

    The eight directions between neighbouring pixels are the most frequent ones. Bins start where
    these are as far as possible from a border: at its centre if `bins` is a multiple of 8.

    >>> direction_bins(np.array([[1, 0], [0, -1], [-1, 0], [0, 1]]), 24).tolist()
    [0, 6, 12, 18]
    """
    circle = np.arctan2(-vectors[:, 1], vectors[:, 0]) / (2 * np.pi)
    return np.floor(circle * bins + math.gcd(bins, 8) / 16).astype(np.int64) % bins


def _require_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")


def _contours_of_page(page: np.ndarray, points: int) -> Contours:
    """The contours of at least so many points; none if the page has too little ink."""
    mask = ink_mask(page)
    if not has_information(mask):
        return Contours(np.empty((0, 2), np.int32), np.empty(0, np.int64))
    return find_contours(mask).at_least(points)


def _leg_directions(contours: Contours, leg: int, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Bins of the legs ahead and behind at each contour point."""
    points = contours.points
    ahead = direction_bins(points[contours.further(leg)] - points, bins)
    behind = direction_bins(points[contours.further(-leg)] - points, bins)
    return ahead, behind


def _of_sum_one(counts: np.ndarray) -> np.ndarray:
    return (counts / max(1, counts.sum())).astype(np.float32)

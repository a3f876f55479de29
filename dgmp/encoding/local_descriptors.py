"""Local descriptors of a page: keypoints, and RootSIFT of the writing around them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import cv2
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from dgmp.images.binarization import INK, binarize
from dgmp.images.stroke_width import stroke_width

Keypoints = Literal["upright", "oriented", "contour", "dense"]

WIDTH = 128
"""Entries of a SIFT descriptor: 4 x 4 cells of 8 directions."""

# OpenCV's SIFT: blur of the first image of an octave, and images an octave has for keypoints.
FIRST_BLUR = 1.6
LAYERS = 3

# Size of a keypoint on the contour or the grid in stroke widths; its descriptor covers six times
# that. With 1, 1.5, 2, 3 and 4 contour descriptors of 137 pages of 30 training writers of
# manuscripts, summed by VLAD, gave 81, 76, 76, 77 and 78 mAP.
SIZE_IN_STROKES = 1.0


@dataclass(frozen=True)
class DescribedPage:
    """The local descriptors of one page.

    Attributes:
        sift: uint8 (n, 128), SIFT as OpenCV rounds it, never all zero.
        positions: float32 (n, 2), x and y in pixels.
        sizes: float32 (n,), diameter of the keypoint in pixels; the descriptor covers a square of
            six times that.
    """

    sift: np.ndarray
    positions: np.ndarray
    sizes: np.ndarray

    @property
    def vectors(self) -> np.ndarray:
        """RootSIFT float32 (n, 128), see `root_sift`."""
        return root_sift(self.sift)


def root_sift(sift: np.ndarray) -> np.ndarray:
    """Divide SIFT (n, 128) by its sum and take the root: float32 (n, 128) of Euclidean length 1.

    The Euclidean distance of two of them is the Hellinger distance of the histograms (Arandjelović
    and Zisserman 2012). A descriptor of zeros stays zero.

    >>> root_sift(np.array([[9, 16, 0], [0, 0, 0]], np.uint8))
    array([[0.6, 0.8, 0. ],
           [0. , 0. , 0. ]], dtype=float32)
    """
    values = sift.astype(np.float32)
    return np.sqrt(values / np.maximum(values.sum(axis=1, keepdims=True), 1))


class LocalDescriptors(TransformerMixin, BaseEstimator):
    """Describes pages uint8 (H, W), grey or binary, by RootSIFT at keypoints; `fit` does nothing.

    Descriptors come in a fixed order, so that the same page gives the same result. OpenCV uses
    several threads unless `cv2.setNumThreads` says otherwise.

    Args:
        keypoints: Where descriptors are made. `upright`: SIFT's detector, but not its orientation,
            because the slant tells hands apart; of the keypoints of a pixel the strongest.
            `oriented`: with its orientation, several of one keypoint too. `contour`: upright, at
            points of the outline of the ink `step` pixels apart. `dense`: upright, at the points on
            ink of a grid of `step` pixels. The last two look for ink by
            `dgmp.images.binarization.binarize` with Otsu's threshold, unless the page is binary,
            and have the size of `SIZE_IN_STROKES` stroke widths.
        contrast: Of a keypoint at least, as OpenCV's `contrastThreshold`.
        edge: Ratio of curvatures that marks an edge, as OpenCV's `edgeThreshold`; larger keeps
            more keypoints.
        most: Descriptors of a page: those of the strongest response, or so many evenly spaced ones
            of the contour or the grid.
        least: Descriptors below which `too_few` is true.
        step: Pixels between points of the contour or the grid.

    Examples:
        >>> page = np.full((60, 80), 255, np.uint8)
        >>> page[20:40, 30:34] = 0
        >>> LocalDescriptors(keypoints="dense", step=4).describe(page).positions.tolist()[:2]
        [[32.0, 20.0], [32.0, 24.0]]
    """

    def __init__(
        self,
        keypoints: Keypoints = "upright",
        contrast: float = 0.01,
        edge: float = 40.0,
        most: int = 2500,
        least: int = 64,
        step: int = 8,
    ) -> None:
        self.keypoints = keypoints
        self.contrast = contrast
        self.edge = edge
        self.most = most
        self.least = least
        self.step = step

    def fit(self, pages: Any = None, y: Any = None) -> Self:
        """Do nothing: there is nothing to learn."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, pages: Iterable[np.ndarray]) -> list[np.ndarray]:
        """Describe pages uint8 (H, W): RootSIFT float32 (n_i, 128) of each."""
        return [self.describe(page).vectors for page in pages]

    def describe(self, page: np.ndarray) -> DescribedPage:
        """Describe a page uint8 (H, W), grey or binary; a blank one has no descriptors.

        Raises:
            ValueError: the page is not uint8 (H, W), or a parameter is out of its range.
        """
        self._check(page)
        sift = cv2.SIFT.create(
            contrastThreshold=self.contrast,
            edgeThreshold=self.edge,
            nOctaveLayers=LAYERS,
            sigma=FIRST_BLUR,
            enable_precise_upscale=True,
        )
        if self.keypoints in ("contour", "dense"):
            wanted = self._points_on_ink(page)
        else:
            wanted = self._detected(sift, page)
        if not wanted:
            return DescribedPage(
                np.empty((0, WIDTH), np.uint8),
                np.empty((0, 2), np.float32),
                np.empty(0, np.float32),
            )
        points, values = sift.compute(page, wanted)
        described = values.any(axis=1)  # not where the page is even, as inside a blot
        return DescribedPage(
            values[described].astype(np.uint8),
            np.array([point.pt for point in points], np.float32)[described],
            np.array([point.size for point in points], np.float32)[described],
        )

    def too_few(self, page: DescribedPage) -> bool:
        """Whether a page has so few descriptors that they say nothing about its hand."""
        return len(page.sift) < self.least

    def _check(self, page: np.ndarray) -> None:
        if page.dtype != np.uint8 or page.ndim != 2 or page.size == 0:
            raise ValueError(
                f"LocalDescriptors takes pages uint8 (H, W), got {page.dtype} {page.shape}"
            )
        if self.keypoints not in get_args(Keypoints):
            raise ValueError(
                f"unknown keypoints {self.keypoints!r}; known: {', '.join(get_args(Keypoints))}"
            )
        for name in ("contrast", "edge"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("most", "step"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    def _detected(self, sift: cv2.SIFT, page: np.ndarray) -> list[cv2.KeyPoint]:
        points = sift.detect(page)
        if not points:
            return []
        x, y = np.array([point.pt for point in points]).T
        size, angle, response = np.array(
            [(point.size, point.angle, point.response) for point in points]
        ).T
        order = np.lexsort((angle, size, x, y, -response))
        if self.keypoints == "oriented":
            return [points[i] for i in order[: self.most]]
        pixels = np.rint(y[order]).astype(np.int64) * page.shape[1] + np.rint(x[order]).astype(int)
        first = np.sort(np.unique(pixels, return_index=True)[1])
        strongest = [points[i] for i in order[first[: self.most]]]
        for point in strongest:
            point.angle = 0.0
        return strongest

    def _points_on_ink(self, page: np.ndarray) -> list[cv2.KeyPoint]:
        binary = binarize(page, "otsu")
        width = stroke_width(binary)
        if width == 0:
            return []
        ink = (binary == INK).view(np.uint8)
        if self.keypoints == "contour":
            outlines, _ = cv2.findContours(ink, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            spots = np.concatenate([outline[:: self.step, 0] for outline in outlines])
        else:
            spots = np.argwhere(ink[:: self.step, :: self.step])[:, ::-1] * self.step
        if len(spots) > self.most:
            spots = spots[np.linspace(0, len(spots) - 1, self.most).round().astype(int)]
        size = SIZE_IN_STROKES * width
        octave = octave_of(size)
        return [cv2.KeyPoint(float(x), float(y), size, 0.0, 0.0, octave) for x, y in spots]


def octave_of(size: float) -> int:
    """Where OpenCV's SIFT describes a keypoint of this size: octave and layer, packed.

    The blurred image whose blur is nearest to half the size; the first octave, -1, is the page
    enlarged twice.
    """
    step = max(1, round(LAYERS * (math.log2(size / 2 / FIRST_BLUR) + 1)))
    octave, layer = divmod(step - 1, LAYERS)
    return ((octave - 1) & 255) | ((layer + 1) << 8)

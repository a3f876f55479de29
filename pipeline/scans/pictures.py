"""Pictures of pages for a report, as the bytes of WebP files."""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dgmp.search.findings import Evidence

Grey = NDArray[np.uint8]

THUMB, PREVIEW = 240, 900  # long sides in pixels
TILE = 96  # side of a letter's picture in a strip
GAP = 3  # white pixels between two of them
MAP = 128  # cells of a map of weights along the page's long side
MAP_BLUR = 1.2  # in cells; a cell is some 1/128 of a page, less than a letter
MARK = (201, 66, 22)  # vermilion, as a rubricator's: reads on grey pages, light and dark
# On previews of synthetic scribes 55 takes 80 % of the bytes of 75; on a screen they look the same.
QUALITY = 55


def thumbnail(page: Grey) -> bytes:
    """Picture of a grey page, uint8 (H, W), with a long side of at most 240 pixels."""
    return _shrunk(page, THUMB)


def preview(page: Grey) -> bytes:
    """Picture of a grey page, uint8 (H, W), with a long side of at most 900 pixels."""
    return _shrunk(page, PREVIEW)


def weight_map(
    positions: NDArray[np.floating], weights: NDArray[np.floating], shape: tuple[int, int]
) -> bytes:
    """Map of where the weight of a page lies: vermilion, the more opaque the more weight.

    It has the page's proportions but few pixels, so that a browser lays it smoothly over a picture
    of the page of any size.

    Args:
        positions: (n, 2), x and y in pixels of the page.
        weights: (n,); those below zero count as none.
        shape: Height and width of the page in pixels.

    Raises:
        ValueError: the numbers of positions and weights differ.
    """
    if positions.shape != (len(weights), 2):
        raise ValueError(
            f"positions must be ({len(weights)}, 2) for {len(weights)} weights, "
            f"got {positions.shape}"
        )
    height, width = shape
    cell = max(shape) / MAP
    size = (max(1, round(height / cell)), max(1, round(width / cell)))
    inside = np.clip((positions[:, ::-1] / cell).astype(int), 0, np.array(size) - 1)
    mass = np.zeros(size, np.float32)
    np.add.at(mass, (inside[:, 0], inside[:, 1]), np.maximum(weights, 0).astype(np.float32))
    blurred = cv2.GaussianBlur(mass, (0, 0), MAP_BLUR, borderType=cv2.BORDER_CONSTANT)
    mass = np.asarray(blurred, np.float32)
    full = np.quantile(mass[mass > 0], 0.98) if mass.any() else 1.0
    picture = np.empty((*size, 4), np.uint8)
    picture[..., :3] = MARK
    picture[..., 3] = np.rint(200 * np.clip(mass / full, 0, 1))
    return _webp(picture)


def letter_pairs(evidence: Evidence, page: Grey, other: Grey) -> bytes:
    """Strip of the letters that carry a similarity: k columns, the page's above the other's.

    Each tile has a side of `TILE` pixels and shows twice the compared square, whose corners are
    marked; the two of a column have the same scale, so that letters keep their proportions.

    Args:
        evidence: Of k pairs.
        page: Uint8 (H, W), the page that was described.
        other: The hit, likewise.

    Raises:
        ValueError: there are no pairs.
    """
    if not len(evidence.places):
        raise ValueError("evidence has no pairs to draw: leave it out of the findings")
    columns = []
    for places, sizes in zip(evidence.places, evidence.sizes, strict=True):
        side = 2 * float(sizes.max())
        columns.append(
            np.vstack(
                [
                    _tile(image, place, side, float(size))
                    for image, place, size in zip((page, other), places, sizes, strict=True)
                ]
            )
        )
    return _webp(np.hstack(columns))


def _tile(page: Grey, place: NDArray[np.floating], side: float, marked: float) -> Grey:
    """Square of a page around a place; beyond its edges its last pixels go on."""
    length = max(8, round(side))
    x, y = (np.arange(length) + round(float(c) - length / 2) for c in place)
    rows, columns = np.clip(y, 0, page.shape[0] - 1), np.clip(x, 0, page.shape[1] - 1)
    way = cv2.INTER_AREA if length > TILE else cv2.INTER_CUBIC
    grey = cv2.resize(page[np.ix_(rows, columns)], (TILE, TILE), interpolation=way)
    tile = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
    tile[-GAP:] = tile[:, -GAP:] = 255
    half = marked / length * TILE / 2
    low, high = round(TILE / 2 - half), round(TILE / 2 + half) - 1
    tick = max(4, round(half / 3))
    for cx, dx in ((low, tick), (high, -tick)):
        for cy, dy in ((low, tick), (high, -tick)):
            cv2.line(tile, (cx, cy), (cx + dx, cy), MARK, 1)
            cv2.line(tile, (cx, cy), (cx, cy + dy), MARK, 1)
    return np.asarray(tile, np.uint8)


def _shrunk(page: Grey, side: int) -> bytes:
    scale = min(1.0, side / max(page.shape))
    height, width = (max(1, round(length * scale)) for length in page.shape)
    small = cv2.resize(page, (width, height), interpolation=cv2.INTER_AREA)
    return _webp(np.asarray(small, np.uint8))


def _webp(picture: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", quality=QUALITY, method=2)
    return file.getvalue()

"""The sheet: parchment, ruling lines, stains, show-through, ageing ink and noise.

All pixel arithmetic is in whole numbers, so that a page has the same bytes on every machine.
"""

import cv2
import numpy as np

from dgmp.scribes.layout import Ruling

# Pixels to a cell of the grid for slow changes.
_COARSE = 4


def _clouds(rng: np.random.Generator, height: int, width: int, cell: int) -> np.ndarray:
    """Smooth noise, int16 (height, width) from 0 to 255, with features some cell pixels wide."""
    shape = (height // cell + 3, width // cell + 3)
    grains = rng.integers(0, 256, size=shape, dtype=np.uint8)
    coarse = cv2.GaussianBlur(grains, (3, 3), 0)
    clouds = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
    return clouds.astype(np.int16)


def age_page(
    cover: np.ndarray, ruling: Ruling, rng: np.random.Generator, wear: float
) -> np.ndarray:
    """Puts writing on a sheet of parchment.

    Args:
        cover: Covered share of each pixel, uint8 (H, W).
        ruling: The ruled lines, drawn faintly.
        rng: Source of all that the sheet and its age decide.
        wear: Factor on texture, stains, show-through, fading and noise.

    Returns:
        The grey page, uint8 (H, W).
    """
    height, width = cover.shape
    w = round(256 * wear)
    tone, ink, edge, ghost, fade, flow, line = rng.random(7).tolist()
    small = -(-height // _COARSE), -(-width // _COARSE)
    broad = max(4, min(small) // 3)

    # What changes slowly over the sheet is put together on a coarse grid, 128 being the mean tone.
    shade = 128 * 256 + (_clouds(rng, *small, broad).astype(np.int32) - 128) * (w * 24 // 128)
    shade += (_clouds(rng, *small, 4).astype(np.int32) - 128) * (w * 9 // 128)
    shade -= _stains(rng, *small) * (w * 45 // 256)
    shade = shade - _borders(*small) * (w * round(10 + 40 * edge) // 256)
    sheet = _enlarge(shade // 256, height, width) + np.int16(205 + round(35 * tone) - 128)
    sheet += (_clouds(rng, height, width, 4) - 128) * np.int16(min(w, 512) * 8 // 128) // 256
    sheet -= (
        _ruled(ruling, height, width) * np.int16(min(w, 512) * round(10 + 45 * line) // 512) // 128
    )

    # The other side of the leaf: its writing is mirrored and not in step with the lines here.
    shift = height // 3 + round(ruling.pitch * flow)
    back = np.roll(cover[:, ::-1], (shift, width // 40), axis=(0, 1))
    back = cv2.GaussianBlur(back, (5, 5), 0).astype(np.int16)
    sheet -= back * np.int16(min(w, 512) * round(4 + 26 * ghost * ghost) // 512) // 128

    # Ink is darkest after dipping the pen and pales along the page where it has flaked off.
    loss = _clouds(rng, *small, broad).astype(np.int32) * round(10 + 55 * fade)
    loss += _clouds(rng, *small, max(2, round(ruling.pitch / _COARSE))) * np.int32(40)
    depth = 248 - _enlarge(loss * w >> 16, height, width)
    depth -= _clouds(rng, height, width, 3) * np.int16(min(w, 512) * 24 // 512) // 128
    blurred = cv2.GaussianBlur(cover, (3, 3), 0)
    alpha = (blurred // 2 + cover // 2) * np.clip(depth, 90, 255).astype(np.uint16) >> 8
    dark = 28 + round(45 * ink)
    contrast = np.clip(sheet - np.int16(dark), 0, 255).astype(np.uint16)
    page = sheet - (contrast * alpha >> 8).astype(np.int16)

    noise = rng.integers(0, 256, size=(height, width), dtype=np.uint8).astype(np.int16)
    noise += rng.integers(0, 256, size=(height, width), dtype=np.uint8)
    page += (noise - 255) * np.int16(min(w, 512) * 10 // 256) // 256
    return np.clip(page, 0, 255).astype(np.uint8)


def _enlarge(coarse: np.ndarray, height: int, width: int) -> np.ndarray:
    """A coarse grid of grey levels as int16 (height, width)."""
    grey = np.clip(coarse, 0, 255).astype(np.uint8)
    size = width, height
    return cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR_EXACT).astype(np.int16)


def _stains(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Damp patches with soft borders, int32 (height, width) up to 255, mostly none."""
    stains = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(0, 4))):
        y, x = (rng.random(2) * stains.shape).astype(int).tolist()
        a, b = (3 + rng.random(2) * max(stains.shape) * 0.16).astype(int).tolist()
        lean, dark = int(rng.integers(-8, 9)), int(rng.integers(30, 200))
        down = np.arange(height)[:, None] - y
        across = np.arange(width)[None, :] - x - lean * down // 8
        # 256 on the border; a dried puddle is darkest along its rim.
        radius = 256 * across * across // (a * a) + 256 * down * down // (b * b)
        inner = np.where(radius < 200, dark, min(dark + 55, 255))
        stains = np.maximum(stains, np.where(radius < 256, inner, 0).astype(np.uint8))
    return cv2.GaussianBlur(stains, (5, 5), 0).astype(np.int32)


def _borders(height: int, width: int) -> np.ndarray:
    """Darkening towards the edges of the leaf, int64 (height, width) up to 255."""
    across = np.abs(2 * np.arange(width) - width) * 255 // width
    down = np.abs(2 * np.arange(height) - height) * 255 // height
    return np.maximum(np.maximum(across[None, :], down[:, None]) - 190, 0) * 255 // 65


def _ruled(ruling: Ruling, height: int, width: int) -> np.ndarray:
    """Ruling lines, int16 (height, width), up to 255 on a line."""
    layer = np.zeros((height, width), np.uint8)
    drop = ruling.tilt * (ruling.right - ruling.left)
    for i in range(ruling.count + 1):
        y = ruling.first + (i - 1) * ruling.pitch + 0.06 * ruling.pitch
        ends = (round(ruling.left), round(y)), (round(ruling.right), round(y - drop))
        cv2.line(layer, *ends, 255, 1)
    for x in (round(ruling.left) - 3, round(ruling.right) + 2):
        cv2.line(layer, (x, 0), (x, height - 1), 255, 1)
    return cv2.GaussianBlur(layer, (3, 3), 0).astype(np.int16)

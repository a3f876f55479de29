"""Views of script pages: random ones for training (section IV-C.2), the centre for testing."""

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from PIL import Image

ATTEMPTS = 10

Resampling = Literal["area", "bilinear"]
"""How pages become views, both without aliasing: "area" shrinks by averaging and enlarges by
interpolation (OpenCV); "bilinear" is PIL's, with sizes and centre as torchvision rounds them."""


@dataclass(frozen=True)
class ScriptAugmentation:
    """Ranges of the random views; the defaults are the paper's (section IV-C.2).

    Attributes:
        crop: side of a view in pixels.
        scale: least and largest share of the page's area in a view.
        aspect: least and largest width by height of the part that becomes a view.
        rotation: largest rotation in degrees, either way.
        brightness: largest relative change of all tones.
        contrast: largest relative change of the distance from the mean tone.
        resampling: how parts of pages become views.
        rotation_sampling: of the rotation; torchvision's is "nearest".
        corners: tone of the corners that the rotation opens: "parchment", the median of the view,
            or "black", as torchvision leaves them.
        jitter: brightness before contrast, or in random order, as torchvision does. The two
            differ only in tones that brightness makes white.
    """

    crop: int
    scale: tuple[float, float] = (0.08, 1.0)
    aspect: tuple[float, float] = (0.75, 1.33)
    rotation: float = 5.0
    brightness: float = 0.1
    contrast: float = 0.1
    resampling: Resampling = "area"
    rotation_sampling: Literal["linear", "nearest"] = "linear"
    corners: Literal["parchment", "black"] = "parchment"
    jitter: Literal["brightness-first", "shuffled"] = "brightness-first"


def augment(page: np.ndarray, rng: np.random.Generator, settings: ScriptAugmentation) -> np.ndarray:
    """Draw a random view of a page, uint8 (H, W) to uint8 (crop, crop).

    A part of random area and aspect is resized to the view, rotated, and changed in brightness
    and contrast.
    """
    top, left, height, width = _random_part(page.shape, rng, settings)
    part = page[top : top + height, left : left + width]
    view = _resize(part, settings.crop, settings.crop, settings.resampling)
    view = _rotate(view, rng.uniform(-settings.rotation, settings.rotation), settings)
    brightness = 1 + rng.uniform(-settings.brightness, settings.brightness)
    contrast = 1 + rng.uniform(-settings.contrast, settings.contrast)
    contrast_first = settings.jitter == "shuffled" and rng.random() < 0.5
    return cv2.LUT(view, _tones(float(view.mean()), brightness, contrast, contrast_first))


def center_view(page: np.ndarray, crop: int, resampling: Resampling = "area") -> np.ndarray:
    """Resize a page's shorter side to `crop` and take the centre, uint8 (crop, crop)."""
    shorter = min(page.shape)
    if resampling == "bilinear":
        height, width = (int(crop * length / shorter) for length in page.shape)
        top, left = round((height - crop) / 2), round((width - crop) / 2)
    else:
        height, width = (round(length * crop / shorter) for length in page.shape)
        top, left = (height - crop) // 2, (width - crop) // 2
    view = _resize(page, height, width, resampling)
    return np.ascontiguousarray(view[top : top + crop, left : left + crop])


def _tones(mean: float, brightness: float, contrast: float, contrast_first: bool) -> np.ndarray:
    """What becomes of each tone, uint8 (256,), on a view of that mean: all in one pass."""
    tones = np.arange(256)
    if contrast_first:
        changed = ((tones - mean) * contrast + mean).clip(0, 255) * brightness
    else:
        # Contrast turns about the mean of the brightened view.
        mean = min(255.0, brightness * mean)
        changed = ((tones * brightness).clip(0, 255) - mean) * contrast + mean
    return changed.round().clip(0, 255).astype(np.uint8)


def _random_part(
    shape: tuple[int, ...], rng: np.random.Generator, settings: ScriptAugmentation
) -> tuple[int, int, int, int]:
    """Top, left, height and width of a random part; the centre if ten draws do not fit."""
    full_height, full_width = shape
    low, high = (math.log(aspect) for aspect in settings.aspect)
    for _ in range(ATTEMPTS):
        area = full_height * full_width * rng.uniform(*settings.scale)
        aspect = math.exp(rng.uniform(low, high))
        height, width = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
        if 0 < height <= full_height and 0 < width <= full_width:
            top = int(rng.integers(full_height - height + 1))
            left = int(rng.integers(full_width - width + 1))
            return top, left, height, width
    height = min(full_height, round(full_width / settings.aspect[0]))
    width = min(full_width, round(full_height * settings.aspect[1]))
    return (full_height - height) // 2, (full_width - width) // 2, height, width


def _resize(page: np.ndarray, height: int, width: int, resampling: Resampling) -> np.ndarray:
    if resampling == "bilinear":
        # PIL widens its filter where it shrinks.
        image = Image.fromarray(page).resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(image)
    shrunk = (min(width, page.shape[1]), min(height, page.shape[0]))
    if shrunk != (page.shape[1], page.shape[0]):
        page = cv2.resize(page, shrunk, interpolation=cv2.INTER_AREA)
    if shrunk != (width, height):
        page = cv2.resize(page, (width, height), interpolation=cv2.INTER_LINEAR)
    return page


def _rotate(view: np.ndarray, degrees: float, settings: ScriptAugmentation) -> np.ndarray:
    side = view.shape[0]
    center = ((side - 1) / 2, (side - 1) / 2)
    turn = cv2.getRotationMatrix2D(center, degrees, 1.0)
    fill = _median(view) if settings.corners == "parchment" else 0.0
    linear = settings.rotation_sampling == "linear"
    flags = cv2.INTER_LINEAR if linear else cv2.INTER_NEAREST
    return cv2.warpAffine(view, turn, (side, side), flags=flags, borderValue=(fill,))


def _median(view: np.ndarray) -> float:
    """Median tone, by the histogram: ten times as fast as np.median."""
    below = cv2.calcHist([view], [0], None, [256], [0, 256]).cumsum()
    middle = np.searchsorted(below, [(view.size - 1) // 2, view.size // 2], side="right")
    return float(middle.mean())

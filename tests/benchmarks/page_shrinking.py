"""Views made from shrunk pages beside views made from whole ones, on real pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from dgmp.images.augmentation import (
    ScriptAugmentation,
    _random_part,
    _resize,
    augment,
    center_view,
)
from dgmp.images.pages import limit_side
from dgmp.images.reading import read_gray
from pipeline.preparation.packing import longest_useful_side
from pipeline.shared.settings.params import load_params

SHARES = ((0.08, 0.1), (0.1, 0.2), (0.2, 0.5), (0.5, 1.0))
JPEG_QUALITY = 90
DRAWS = 3

Views = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of a page, of the shrunk page, of the page after JPEG."""


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference in grey levels."""
    return float(np.abs(one.astype(int) - other).mean())


def shifted(view: np.ndarray) -> float:
    """Difference from the view shifted by one pixel."""
    return difference(view[:, 1:], view[:, :-1])


def half_size(page: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """A page cut to even sides, its half, and the crop for which the half is the useful side."""
    page = page[: page.shape[0] // 2 * 2, : page.shape[1] // 2 * 2]
    half = limit_side(page, min(page.shape) // 2)
    return page, half, math.floor(min(half.shape) * math.sqrt(SHARES[0][0]))


def aligned_views(
    page: np.ndarray, half: np.ndarray, crop: int, share: tuple[float, float], seed: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """The same random part of both: nothing but the resolution differs."""
    settings = ScriptAugmentation(crop, share)
    top, left, height, width = _random_part(half.shape, np.random.default_rng(seed), settings)
    part = page[2 * top : 2 * (top + height), 2 * left : 2 * (left + width)]
    return tuple(
        _resize(view, crop, crop, settings.resampling)
        for view in (part, half[top : top + height, left : left + width])
    )


def report(files: Sequence[Path]) -> None:
    """Print the section."""
    schedule = load_params().profiles.paper.scripts_a
    crop, side = schedule.crop, longest_useful_side(schedule)
    pages = [read_gray(file) for file in files]
    sides = np.array([min(page.shape) for page in pages])
    long = [page for page in pages if min(page.shape) > side]
    print(
        f"\n## Shrinking of script pages\n\nCrop {crop}, least share {SHARES[0][0]:g}: pages are "
        f"shrunk to a shorter side of {side} pixels. Of {len(pages)} pages {len(long)} are longer "
        f"(median\n{np.median(sides):.0f}, longest {sides.max()}). Mean absolute differences in "
        f"grey levels between views of a page and of the shrunk page;\nbeside them, those of a "
        f"shift of the view by one pixel and of JPEG (quality {JPEG_QUALITY})."
    )
    print(
        "\nThe same random draw of `augment`, on the pages that are longer; the part lies up to "
        "half a pixel elsewhere:\n"
    )
    shrunk = [(page, limit_side(page, side), _jpeg(page)) for page in long]
    _table(
        lambda share: (
            tuple(
                augment(image, np.random.default_rng([n, draw]), ScriptAugmentation(crop, share))
                for image in images
            )
            for n, images in enumerate(shrunk)
            for draw in range(5 * DRAWS)
        ),
        (tuple(center_view(image, crop) for image in images) for images in shrunk),
    )
    print(
        "\nThe same part to the pixel, of pages at twice the useful side (of real pages for a "
        "crop so much smaller):\n"
    )
    halved = [half_size(page) for page in pages if min(page.shape) >= 1000]
    halves = [(page, half, small, _jpeg(page)) for page, half, small in halved]

    def aligned(share: tuple[float, float]) -> Iterable[Views]:
        for n, (page, half, small, jpeg) in enumerate(halves):
            for draw in range(DRAWS):
                views = aligned_views(page, half, small, share, [n, draw])
                yield *views, aligned_views(jpeg, half, small, share, [n, draw])[0]

    _table(
        aligned,
        (
            tuple(center_view(image, small) for image in (page, half, jpeg))
            for page, half, small, jpeg in halves
        ),
    )


def _table(
    views: Callable[[tuple[float, float]], Iterable[Views]], centers: Iterable[Views]
) -> None:
    """Rows for the shares of the page's area, and for the centre view of testing."""
    print(
        "| view | shrunk page | 95th percentile | shift by one pixel | JPEG | gradient kept |\n"
        "|:--|--:|--:|--:|--:|--:|"
    )
    rows = {
        f"{100 * low:.0f} to {100 * high:.0f} % of the page": views((low, high))
        for low, high in SHARES
    }
    for name, triples in {**rows, "centre view": centers}.items():
        found = np.array(
            [
                (
                    difference(whole, shrunk),
                    shifted(whole),
                    difference(whole, jpeg),
                    shifted(shrunk) / shifted(whole),
                )
                for whole, shrunk, jpeg in triples
            ]
        )
        mean = found.mean(axis=0)
        print(
            f"| {name} | {mean[0]:.2f} | {np.percentile(found[:, 0], 95):.2f} | {mean[1]:.1f} "
            f"| {mean[2]:.2f} | {100 * mean[3]:.0f} % |"
        )


def _jpeg(page: np.ndarray) -> np.ndarray:
    data = cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)

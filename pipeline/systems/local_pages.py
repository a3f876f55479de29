"""Local descriptors of one page: binary pages of the writer task, grey ones of the script tasks."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from dgmp.encoding import LocalDescriptors
from dgmp.images.binarization import binarize
from dgmp.images.negatives import turn_positive
from dgmp.images.reading import read_gray
from dgmp.images.stroke_width import stroke_width
from pipeline.shared.settings.data import Binarize
from pipeline.shared.settings.systems import Describe


class LocalJob(NamedTuple):
    """A page to describe; `binarize` says how a grey one is made dark on light and scaled."""

    file: Path
    settings: Describe
    binarize: Binarize | None


def build_descriptors(settings: Describe) -> LocalDescriptors:
    """The local descriptors that the settings ask for."""
    return LocalDescriptors(
        keypoints=settings.keypoints,
        contrast=settings.contrast,
        edge=settings.edge,
        most=settings.most,
    )


def describe_page(job: LocalJob) -> dict[str, NDArray[np.generic]]:
    """`sift`, `positions` and `sizes` of a page, in pixels of the page as it was read."""
    page, scale = read_gray(job.file), 1.0
    if job.binarize is not None:
        page, _ = turn_positive(page, job.binarize.negative)
        scale = job.binarize.scale
    if job.settings.stroke_width is not None:
        binary = page
        if job.binarize is not None:
            settings = job.binarize
            binary = binarize(page, settings.method, window=settings.window, k=settings.k)
        width = stroke_width(binary)
        scale = job.settings.stroke_width / width if width else scale
    if scale != 1:
        size = tuple(max(1, round(side * scale)) for side in page.shape[::-1])
        page = cv2.resize(
            page, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        )
    found = build_descriptors(job.settings).describe(page)
    positions, sizes = found.positions / scale, found.sizes / scale
    return {
        "sift": found.sift,
        "positions": positions.astype(np.float32),
        "sizes": sizes.astype(np.float32),
    }

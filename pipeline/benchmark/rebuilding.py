"""A page of the benchmark from its image and layout."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from dgmp.files import whole_file
from dgmp.images.reading import read_gray
from dgmp.scans.baselines import read_baselines
from dgmp.scans.text_block import (
    TextBlock,
    binarize_by_boxes,
    cut_text_block,
    find_text_block,
)
from pipeline.benchmark.listing import ListedPage

PHOTOGRAPH_QUALITY = 80
"""Of JPEG; these and the next numbers are those of the pages as they were first made."""
GREY_QUALITY = 70
GREY_SCALE = 0.75
"""Of the text block, to a line pitch of 48 pixels."""
GREY_LARGEST = (1440, 1280)


class Build(NamedTuple):
    """A page to build: the folder of its sources by object id, and where it goes."""

    page: ListedPage
    sources: Path
    target: Path


class Built(NamedTuple):
    """`wrong`: why there is no page; `differs`: its pixels are not the listed ones."""

    wrong: str | None
    differs: bool


def build(job: Build) -> Built:
    """Write a page, whole or not at all."""
    page, listed = job.page, job.page.block
    image = cv2.imread(str(job.sources / page.image_blob), cv2.IMREAD_COLOR)
    if image is None:
        return Built(f"{page.image} is no image that OpenCV reads", differs=False)
    if listed is None:
        written = _jpeg(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), PHOTOGRAPH_QUALITY)
    else:
        layout = (job.sources / page.layout_blob).read_bytes()
        try:
            block = find_text_block(read_baselines(layout), *image.shape[:2])
        except ValueError as error:
            return Built(f"{page.layout}: {error}", differs=False)
        if not _same(block, listed):
            return Built(
                f"{page.layout} gives {_told(block)}, listed is {_told(listed)}", differs=False
            )
        grey = cut_text_block(image, block)
        written = _png(binarize_by_boxes(grey)) if page.file.endswith(".png") else _small(grey)
    with whole_file(job.target) as part:
        part.write_bytes(written)
    return Built(None, differs=not is_built(job))


def is_built(job: Build) -> bool:
    """Whether the page is there with the pixels that are listed."""
    try:
        return pixel_sum(read_gray(job.target)) == job.page.pixels
    except ValueError:
        return False


def pixel_sum(page: np.ndarray) -> str:
    """SHA-256 of a page uint8 (H, W): of `<height> <width>\\n` in ASCII and all pixels."""
    height, width = page.shape
    return hashlib.sha256(b"%d %d\n" % (height, width) + page.tobytes()).hexdigest()


def _same(found: TextBlock, listed: TextBlock) -> bool:
    return found[:4] == listed[:4] and bool(np.isclose(found.scale, listed.scale, rtol=1e-6))


def _told(block: TextBlock) -> str:
    return (
        f"a text block from ({block.left}, {block.top}) to ({block.right}, {block.bottom}) "
        f"scaled by {block.scale:.4f}"
    )


def _small(grey: np.ndarray) -> bytes:
    small = cv2.resize(grey, None, fx=GREY_SCALE, fy=GREY_SCALE, interpolation=cv2.INTER_AREA)
    return _jpeg(small[: GREY_LARGEST[0], : GREY_LARGEST[1]], GREY_QUALITY)


def _jpeg(page: np.ndarray, quality: int) -> bytes:
    return cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _png(page: np.ndarray) -> bytes:
    """One bit a pixel; by Pillow, whose files are a tenth smaller than OpenCV's."""
    content = BytesIO()
    Image.fromarray(page > 0).save(content, "PNG", optimize=True)
    return content.getvalue()

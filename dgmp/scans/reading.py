"""The grey page of a scan."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from dgmp.images.depth import eight_bits
from dgmp.images.quiet import quiet_stderr
from dgmp.images.reading import read_gray
from dgmp.images.tiff import tiff_pages
from dgmp.scans.kinds import Kind, count_pages, kind_of
from dgmp.scans.pdf import render_pdf_page
from dgmp.scans.scan import Scan

LARGEST = 200_000_000
"""Pixels of a page that is decoded whole."""
LARGEST_JP2 = 50_000_000
"""The same for JPEG 2000, of which 195 megapixels in colour took 3 GB and 44 s, 49 took 1 GB."""

# The classes themselves, because PIL.Image.open refuses pages of more than 179 megapixels.
OPENERS: dict[Kind, type[ImageFile]] = {
    "jpeg": JpegImageFile,
    "png": PngImageFile,
    "jp2": Jpeg2KImageFile,
    "webp": WebPImageFile,
    "avif": AvifImageFile,
    "gif": GifImageFile,
    "bmp": BmpImageFile,
}
REDUCED = {
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


def read_scan(scan: Scan) -> NDArray[np.uint8]:
    """Read a page in grey, uint8 (H, W), upright.

    JPEGs of more than 200 megapixels and JPEG 2000 of more than 50 are read at a half, quarter or
    eighth of their width and height. With 195 megapixels in colour, reading took 0.5 GB for JPEG
    and 1.4 GB for PNG and TIFF, the file included; 3.6 GB with 16 bits and transparency.

    Raises:
        ValueError: the page cannot be read, or is too large and of another format; the message
            names the page and is one line.
    """
    try:
        return _read(scan)
    except ValueError as error:
        reason = " ".join(str(error).split())
        named = reason.startswith(str(scan.file))
        raise ValueError(reason if named else f"{scan.name}: {reason}") from None


def _read(scan: Scan) -> NDArray[np.uint8]:
    kind = kind_of(scan.file)
    if kind == "pdf":
        return render_pdf_page(scan.file, scan.page)
    width, height = _size(scan.file, kind, scan.page)
    limit = LARGEST_JP2 if kind == "jp2" else LARGEST
    if width * height <= limit:
        return read_gray(f"{scan.file}#{scan.page}")
    count_pages(scan.file)
    factor = next((f for f in REDUCED if width * height <= limit * f**2), None)
    if factor is not None and kind == "jpeg":
        return _reduced_jpeg(scan.file, factor)
    if factor is not None and kind == "jp2":
        return _reduced_jp2(scan.file, factor)
    raise ValueError(
        f"{width:,} x {height:,} pixels are more than {limit // 10**6} megapixels: save it "
        "smaller, or as JPEG"
    )


def _size(file: Path, kind: Kind, number: int) -> tuple[int, int]:
    """Width and height by the header."""
    if kind == "tiff":
        pages = tiff_pages(file.read_bytes())
        # A missing page is what read_gray tells of.
        return (
            (pages[number - 1].width, pages[number - 1].height) if number <= len(pages) else (0, 0)
        )
    try:
        with open(file, "rb") as opened, OPENERS[kind](opened) as image:
            return image.size
    except (OSError, SyntaxError, TypeError, ValueError, struct.error):
        raise ValueError("its header is damaged: copy or download it again") from None


def _reduced_jpeg(file: Path, factor: int) -> NDArray[np.uint8]:
    with quiet_stderr():
        page = cv2.imdecode(np.fromfile(file, np.uint8), REDUCED[factor])
    if page is None:
        raise ValueError("no readable image: save it again as JPEG")
    return page.astype(np.uint8, copy=False)


def _reduced_jp2(file: Path, factor: int) -> NDArray[np.uint8]:
    try:
        with open(file, "rb") as opened, Jpeg2KImageFile(opened) as image:
            image.reduce = factor.bit_length() - 1
            image.load()
            deep = image.mode.startswith("I;16")
            return eight_bits(np.asarray(image)) if deep else np.asarray(image.convert("L"))
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"no readable image ({error}): save it again as JPEG") from None

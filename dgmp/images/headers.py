"""What OpenCV passes over in PNG, WebP, AVIF and GIF files: orientation, and further images."""

import struct
from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL.AvifImagePlugin import AvifImageFile
from PIL.ExifTags import Base
from PIL.GifImagePlugin import GifImageFile
from PIL.Image import DecompressionBombError
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

PNG = b"\x89PNG\r\n\x1a\n"
# Whatever a PNG tells of orientation or animation has one of these in it.
MARKS_OF_PNG = (b"eXIf", b"Raw profile type exif", b"tiff:Orientation", b"acTL")

# What turns a stored page upright, by EXIF's Orientation.
TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda page: page[:, ::-1],
    3: lambda page: page[::-1, ::-1],
    4: lambda page: page[::-1],
    5: lambda page: page.swapaxes(0, 1),
    6: lambda page: np.rot90(page, -1),
    7: lambda page: page[::-1, ::-1].swapaxes(0, 1),
    8: lambda page: np.rot90(page),
}


class Header(NamedTuple):
    """EXIF's Orientation, 1 (upright) to 8, and the number of images in the file."""

    orientation: int = 1
    images: int = 1


def read_header(data: bytes) -> Header:
    """Read the header of a PNG, WebP, AVIF or GIF file.

    Of every other format, and where the header is wrong, the answer is one upright image.
    """
    opener = _opener(data)
    if opener is None:
        return Header()
    try:
        with opener(BytesIO(data)) as image:
            return Header(image.getexif().get(Base.Orientation, 1), getattr(image, "n_frames", 1))
    except (OSError, SyntaxError, TypeError, ValueError, struct.error, DecompressionBombError):
        return Header()


def upright(page: np.ndarray, orientation: int) -> np.ndarray:
    """Turn a stored page (H, W) as EXIF's Orientation asks; unknown values leave it.

    >>> upright(np.array([[1, 2]]), 6).tolist()
    [[1], [2]]
    """
    turn = TURNS.get(orientation)
    return page if turn is None else np.ascontiguousarray(turn(page))


def _opener(data: bytes) -> type[ImageFile] | None:
    # The classes themselves, because PIL.Image.open refuses pages of more than 179 megapixels.
    if data.startswith(PNG):
        return PngImageFile if any(mark in data for mark in MARKS_OF_PNG) else None
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WebPImageFile
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        return AvifImageFile
    return GifImageFile if data.startswith(b"GIF8") else None

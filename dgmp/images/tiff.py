"""What the directories of a TIFF tell of its pages."""

import struct
import warnings
from collections.abc import Iterator
from io import BytesIO
from typing import NamedTuple

from PIL.TiffImagePlugin import ImageFileDirectory_v2

# Classic TIFF in both byte orders, and BigTIFF, which Pillow reads in the usual one only.
BIG = b"II+\0"
HEADERS = (b"II*\0", b"MM\0*", BIG)

# Tags of TIFF 6.0 and their values.
NEW_SUBFILE_TYPE, SUBFILE_TYPE, WIDTH, HEIGHT = 254, 255, 256, 257
BITS_PER_SAMPLE, PHOTOMETRIC, MAX_SAMPLE_VALUE = 258, 262, 281
REDUCED_OR_MASK, REDUCED, MIN_IS_WHITE = 0b101, 2, 0

# Thumbnails that are not marked as such are at least that many times smaller, on both sides.
THUMBNAIL = 4


class TiffPage(NamedTuple):
    """A page of a TIFF.

    `directory` counts from 0 and counts thumbnails as well. `bits` are those of a sample in the
    file, `largest` is the tag MaxSampleValue, None without one.
    """

    directory: int
    width: int
    height: int
    bits: int
    largest: int | None
    min_is_white: bool


def tiff_pages(data: bytes) -> list[TiffPage]:
    """List the pages of a TIFF in their order, without thumbnails, overviews and masks.

    Raises:
        ValueError: a directory lies beyond the end of the file or lacks the size of its page.
    """
    pages = []
    for number, tags in enumerate(_directories(data)):
        try:
            page = _page(number, tags)
        except (KeyError, TypeError, ValueError, struct.error):
            raise ValueError(f"has a damaged directory {number + 1}") from None
        if page:
            pages.append(page)
    width = max((page.width for page in pages), default=0)
    height = max((page.height for page in pages), default=0)
    return [
        page for page in pages if page.width * THUMBNAIL > width or page.height * THUMBNAIL > height
    ]


def _directories(data: bytes) -> Iterator[ImageFileDirectory_v2]:
    if len(data) < 16:
        raise ValueError("is cut off in its header")
    file = BytesIO(data)
    header = data[: 16 if data.startswith(BIG) else 8]
    offset = ImageFileDirectory_v2(header).next
    seen: set[int] = set()
    while offset and offset not in seen:
        if offset >= len(data):
            raise ValueError(f"is cut off before its directory {len(seen) + 1}")
        seen.add(offset)
        tags = ImageFileDirectory_v2(header)
        file.seek(offset)
        with warnings.catch_warnings():
            # Of private tags that are wrong; the pixels do not need them.
            warnings.simplefilter("ignore")
            tags.load(file)
        yield tags
        offset = tags.next


def _page(number: int, tags: ImageFileDirectory_v2) -> TiffPage | None:
    if tags.get(NEW_SUBFILE_TYPE, 0) & REDUCED_OR_MASK or tags.get(SUBFILE_TYPE) == REDUCED:
        return None
    largest = tags.get(MAX_SAMPLE_VALUE)
    return TiffPage(
        number,
        int(tags[WIDTH]),
        int(tags[HEIGHT]),
        max(tags.get(BITS_PER_SAMPLE, (1,))),
        max(largest) if largest else None,
        tags.get(PHOTOMETRIC) == MIN_IS_WHITE,
    )

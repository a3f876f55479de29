"""What a file is and how many pages it has, by its headers: page images are not decoded."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Literal

from PIL.TiffImagePlugin import ImageFileDirectory_v2

from dgmp.images.headers import PNG
from dgmp.images.tiff import BIG, HEADERS, tiff_pages
from dgmp.scans.pdf import count_pdf_pages

Kind = Literal["jpeg", "png", "tiff", "jp2", "webp", "avif", "gif", "bmp", "pdf"]

SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".avif", ".gif", ".bmp"),
    *(".jp2", ".jpx", ".jpf", ".j2k", ".j2c", ".pdf"),
}
"""Of files that should be pages."""
UNREAD = {
    *(".heic", ".heif", ".jxl", ".dng", ".nef", ".cr2", ".cr3", ".arw", ".orf", ".rw2", ".raf"),
    *(".psd", ".djvu", ".djv", ".svg"),
}
"""Of pictures in formats that are not read."""

JPEG = b"\xff\xd8\xff"
JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"
CODESTREAM = b"\xff\x4f\xff\x51"
HEAD, TAIL = 1 << 10, 1 << 16
"""Bytes that are read of the beginning and of the end."""
STRIPS = ((273, 279), (324, 325))
"""Tags of TIFF for where strips and tiles are and how long."""
AGAIN = "copy or download it again"


def kind_of(file: Path) -> Kind:
    """Kind of a page image or PDF by its first bytes.

    Raises:
        ValueError: it is empty, a web page or nothing that is read; the message does not name it.
    """
    head = _head(file)
    if not head:
        raise ValueError(f"the file is empty: {AGAIN}")
    kind = sniff(head)
    if kind is None:
        start = head.lower()
        if b"<html" in start or b"<!doctype html" in start:
            raise ValueError(f"a web page in place of an image: {AGAIN}")
        raise ValueError("no image that can be read: save it as JPEG, PNG, TIFF or PDF")
    return kind


def sniff(head: bytes) -> Kind | None:
    """Kind by the first bytes of a file, None of anything else."""
    if head.startswith(JPEG):
        return "jpeg"
    if head.startswith(PNG):
        return "png"
    if head.startswith(HEADERS):
        return "tiff"
    if head.startswith((JP2, CODESTREAM)):
        return "jp2"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp" and b"avif" in head[8:64]:
        return "avif"
    if head.startswith(b"GIF8"):
        return "gif"
    if head.startswith(b"BM"):
        return "bmp"
    return "pdf" if b"%PDF-" in head else None


def count_pages(file: Path) -> int:
    """Number of pages in a page image or PDF.

    Raises:
        ValueError: it is none, or cut off, or wants a password; the message does not name it.
    """
    kind = kind_of(file)
    if kind == "pdf":
        return count_pdf_pages(file)
    if kind == "tiff":
        return _count_tiff_pages(file)
    if not _complete(file, kind):
        raise ValueError(f"the file is cut off: {AGAIN}")
    return 1


def _head(file: Path) -> bytes:
    try:
        with open(file, "rb") as opened:
            return opened.read(HEAD)
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror or error}") from None


def _complete(file: Path, kind: Kind) -> bool:
    size = file.stat().st_size
    with open(file, "rb") as opened:
        head = opened.read(16)
        if kind == "webp":
            return size >= 8 + int.from_bytes(head[4:8], "little")
        if kind == "avif" or head.startswith(JP2):
            return _boxes_fit(file, size)
        opened.seek(max(0, size - TAIL))
        tail = opened.read()
    if kind in ("jpeg", "png") and not _ends(tail, kind):
        # Something long follows the image, or it is cut off.
        return _ends(file.read_bytes(), kind)
    return True


def _ends(data: bytes, kind: Kind) -> bool:
    """Whether the end of an image is in its data, by the rule of `read_gray`."""
    if kind == "png":
        return data.rfind(b"IEND") > 0
    return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")


def _boxes_fit(file: Path, size: int) -> bool:
    """Whether the boxes of an ISO base media file lie within its size in bytes."""
    place = 0
    with open(file, "rb") as opened:
        while place + 8 <= size:
            opened.seek(place)
            head = opened.read(16)
            length = int.from_bytes(head[:4], "big")
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            if length < 8:
                # 0: up to the end of the file.
                return length == 0
            place += length
    return place <= size


def _count_tiff_pages(file: Path) -> int:
    size = file.stat().st_size
    try:
        with open(file, "rb") as opened, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = opened.read(16)
            header = start if start.startswith(BIG) else start[:8]
            tags = ImageFileDirectory_v2(header)
            opened.seek(tags.next)
            tags.load(opened)
            ends = [
                place + length
                for places, lengths in STRIPS
                for place, length in zip(tags.get(places, ()), tags.get(lengths, ()), strict=False)
            ]
    except (OSError, KeyError, TypeError, ValueError, SyntaxError, struct.error):
        raise ValueError(f"the file is damaged: {AGAIN}") from None
    if not tags or max(ends, default=0) > size:
        raise ValueError(f"the file is cut off: {AGAIN}")
    if not tags.next:
        return 1
    # Of several directories some are thumbnails: only tiff_pages knows, from the whole file.
    try:
        return len(tiff_pages(file.read_bytes()))
    except ValueError as error:
        raise ValueError(f"the file {error}: {AGAIN}") from None

"""Pages of PDFs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import sqrt
from pathlib import Path
from threading import Lock

import numpy as np
import pypdfium2
from numpy.typing import NDArray

DPI = 300
LARGEST = 40_000_000
"""Pixels of a rendered page; larger ones are rendered at fewer dots per inch. A2 has 35 million."""
POINTS = 72
"""An inch in points, the unit of PDF."""

ROUNDING = 1e-6
"""Share of a size; it is stored in 32 bits."""

# PDFium must not be called by two threads at once.
_lock = Lock()


def count_pdf_pages(file: Path) -> int:
    """Number of pages of a PDF.

    Raises:
        ValueError: it cannot be opened, or wants a password; the message does not name it.
    """
    with _open(file) as document:
        return len(document)


def render_pdf_page(file: Path, number: int) -> NDArray[np.uint8]:
    """Render a page of a PDF in grey, uint8 (H, W), at 300 dpi or, if that is large, at fewer.

    Args:
        file: The PDF.
        number: Of the page, from 1.

    Raises:
        ValueError: the file cannot be opened, or has no such page; the message does not name it.
    """
    with _open(file) as document:
        if not 0 < number <= len(document):
            raise ValueError(f"it has no page {number}, but {len(document)} pages")
        try:
            page = document[number - 1]
            width, height = page.get_size()
            scale = min(DPI / POINTS, sqrt(LARGEST / max(width * height, 1)))
            # Sizes are rounded up, and those in the file are a little more than they should be.
            bitmap = page.render(scale=scale * (1 - ROUNDING), grayscale=True)
        except pypdfium2.PdfiumError as error:
            raise ValueError(f"page {number} is damaged ({error})") from None
        return bitmap.to_numpy().reshape(bitmap.height, bitmap.width).copy()


@contextmanager
def _open(file: Path) -> Iterator[pypdfium2.PdfDocument]:
    with _lock:
        try:
            document = pypdfium2.PdfDocument(file)
        except pypdfium2.PdfiumError as error:
            if "password" in str(error).lower():
                raise ValueError("the PDF wants a password: save it without one") from None
            raise ValueError(f"the PDF is damaged ({error}): copy or download it again") from None
        except OSError as error:
            raise ValueError(f"the file cannot be read: {error.strerror or error}") from None
        try:
            yield document
        finally:
            document.close()

"""The local descriptors of one scan, with the page as it was when they were made."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dgmp.encoding import LocalDescriptors
from dgmp.encoding.local_descriptors import root_sift
from dgmp.search.working_page import working_page

# A descriptor covers a square of so many times the diameter of its keypoint.
SQUARE = 6.0

# Quality of the JPEG in which the page is kept to cut pictures from.
QUALITY = 85


@dataclass(frozen=True)
class DescribedScan:
    """What a search keeps of a scan.

    Attributes:
        sift: uint8 (n, 128), see `dgmp.encoding.DescribedPage`.
        positions: float32 (n, 2), x and y in pixels of the working page.
        squares: float32 (n,), side of the square that a descriptor covers, in the same pixels.
        jpeg: uint8 (bytes,), the grey working page.
        scale: Pixels of the working page for one pixel of the scan.
        pen: Width of the pen on the scan, in pixels.
    """

    sift: np.ndarray
    positions: np.ndarray
    squares: np.ndarray
    jpeg: np.ndarray
    scale: float
    pen: float

    @property
    def vectors(self) -> np.ndarray:
        """RootSIFT float32 (n, 128)."""
        return root_sift(self.sift)

    @property
    def page(self) -> np.ndarray:
        """The grey working page uint8 (H, W)."""
        page = cv2.imdecode(self.jpeg, cv2.IMREAD_GRAYSCALE)
        assert page is not None
        return page


def describe_scan(
    scan: np.ndarray, text: np.ndarray | None = None, *, most: int = 2500
) -> DescribedScan:
    """Describe a scan uint8 (H, W) by upright RootSIFT of its ink, see `working_page`.

    Args:
        scan: Grey or binary.
        text: bool (H, W), where writing counts; None: everywhere.
        most: Local descriptors of a page.

    Raises:
        ValueError: the scan is not uint8 (H, W), or `text` has another shape.
    """
    page = working_page(scan, text)
    found = LocalDescriptors(most=most).describe(page.ink)
    done, jpeg = cv2.imencode(".jpg", page.grey, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done
    return DescribedScan(
        found.sift, found.positions, SQUARE * found.sizes, jpeg.ravel(), page.scale, page.pen
    )

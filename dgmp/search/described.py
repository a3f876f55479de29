"""The local descriptors of one scan, with the page as it was when they were made."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dgmp.encoding import LocalDescriptors
from dgmp.encoding.local_descriptors import DescribedPage
from dgmp.search.working_page import working_page

# Of a keypoint at least. Ink has more: with 0.01, the default of `LocalDescriptors`, OpenCV looks
# at the noise of the paper, too, and takes a third longer; 99.9 % of what it keeps is the same.
CONTRAST = 0.03

# Quality of the JPEG in which the page is kept to cut pictures from.
QUALITY = 85


@dataclass(frozen=True)
class DescribedScan:
    """What a search keeps of a scan.

    Attributes:
        local: Its local descriptors, in pixels of the working page.
        shape: Height and width of the working page.
        jpeg: uint8 (bytes,), the grey working page.
        scale: Pixels of the working page for one pixel of the scan.
        pen: Width of the pen on the scan, in pixels.
    """

    local: DescribedPage
    shape: tuple[int, int]
    jpeg: np.ndarray
    scale: float
    pen: float

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
    local = LocalDescriptors(contrast=CONTRAST, most=most).describe(page.ink)
    done, jpeg = cv2.imencode(".jpg", page.grey, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done
    height, width = page.grey.shape
    return DescribedScan(local, (height, width), jpeg.ravel(), page.scale, page.pen)

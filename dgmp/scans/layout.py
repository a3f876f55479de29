"""Where the text of a page is, from PAGE XML or ALTO."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import cv2
import numpy as np
from numpy.typing import NDArray

from dgmp.scans.layout_xml import (
    LARGEST,
    ROOTS,
    child,
    name_of,
    page_size,
    parse_layout,
    parse_points,
)
from dgmp.scans.scan import Scan

FOLDERS = ("", "page", "alto")
"""Where the layout of an image is looked for, as seen from its folder."""
HEAD = 1 << 12
AREAS = {"TextRegion", "TextLine", "TextBlock"}


class _Layout(NamedTuple):
    """Polygons (n, 2) of x and y, and size of the page in their unit, 0 if untold."""

    polygons: list[NDArray[np.float64]]
    width: float
    height: float


def find_layout(image: Path) -> Path | None:
    """PAGE XML or ALTO of an image: `<stem>.xml` beside it, or in a folder page or alto there."""
    places = (image.parent / folder / f"{image.stem}.xml" for folder in FOLDERS)
    return next((file for file in places if _is_layout(file)), None)


def text_mask(scan: Scan, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Pixels of a page that lie in its text regions and lines.

    Args:
        scan: The page.
        shape: Height and width of the mask. The layout is scaled to it by the page size that it
            names itself.

    Returns:
        bool `shape`; None if the page has no layout or the layout has no text regions.

    Raises:
        ValueError: the layout cannot be read; the message names it.
    """
    if scan.layout is None:
        return None
    try:
        polygons, width, height = _read(scan.layout)
    except (ET.ParseError, OSError, UnicodeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{scan.layout} is no PAGE XML or ALTO that can be read ({reason}): export it again, "
            "or remove it to search the whole page"
        ) from None
    if not polygons:
        return None
    mask = np.zeros(shape, np.uint8)
    scale = np.array([shape[1] / width if width else 1, shape[0] / height if height else 1])
    for polygon in polygons:
        # One by one, because OpenCV leaves out where polygons of one call overlap.
        points = np.clip(np.rint(polygon * scale), -1, [shape[1], shape[0]])
        cv2.fillPoly(mask, [points.astype(np.int32)], (1,))
    return mask.astype(bool)


def _is_layout(file: Path) -> bool:
    try:
        with open(file, "rb") as opened:
            # Without the zeros of UTF-16.
            head = opened.read(HEAD).replace(b"\0", b"")
    except OSError:
        return False
    return any(root.encode() in head for root in ROOTS)


def _read(file: Path) -> _Layout:
    with open(file, "rb") as opened:
        root = parse_layout(opened.read(LARGEST + 1))
    read = _page_polygon if name_of(root) == "PcGts" else _alto_polygon
    areas = (element for element in root.iter() if name_of(element) in AREAS)
    polygons = [polygon for area in areas if (polygon := read(area)) is not None]
    if any(not np.isfinite(polygon).all() for polygon in polygons):
        raise ValueError("a coordinate is no finite number")
    width, height = page_size(root)
    unit = next((e.text for e in root.iter() if name_of(e) == "MeasurementUnit"), None)
    if not (width > 0 and height > 0):
        if unit not in (None, "pixel"):
            raise ValueError(f"it counts in {unit} and does not tell the size of the page")
        width = height = 0
    return _Layout(polygons, width, height)


def _page_polygon(area: ET.Element) -> NDArray[np.float64] | None:
    coords = child(area, "Coords")
    if coords is None:
        return None
    if (points := coords.get("points")) is not None:
        return parse_points(points)
    # Before 2013.
    old = [(float(p.get("x", "")), float(p.get("y", ""))) for p in coords if name_of(p) == "Point"]
    return np.array(old) if old else None


def _alto_polygon(area: ET.Element) -> NDArray[np.float64] | None:
    shape = child(area, "Shape")
    polygon = None if shape is None else child(shape, "Polygon")
    if polygon is not None and polygon.get("POINTS"):
        return parse_points(polygon.get("POINTS", ""))
    sides = [area.get(key) for key in ("HPOS", "VPOS", "WIDTH", "HEIGHT")]
    if None in sides:
        return None
    x, y, width, height = (float(side or "") for side in sides)
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])

"""What PAGE XML and ALTO have in common, and how such a file from elsewhere is read safely."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

ROOTS = ("PcGts", "alto")
LARGEST = 64 << 20
"""Bytes of a layout that is read; of a page full of words and glyphs it has a few million."""


def parse_layout(content: bytes) -> ET.Element:
    """The root of a PAGE XML or ALTO file.

    Raises:
        ValueError: it is too large, has a document type, or is something else.
        xml.etree.ElementTree.ParseError: it is no XML.
    """
    if len(content) > LARGEST:
        raise ValueError(f"it has more than {LARGEST:,} bytes")
    root = ET.fromstring(content, ET.XMLParser(target=_Builder()))
    if name_of(root) not in ROOTS:
        raise ValueError(f"its root is {name_of(root)}")
    return root


def page_size(root: ET.Element) -> tuple[float, float]:
    """Width and height of the page as the layout names them, 0 where it does not."""
    page = next((element for element in root.iter() if name_of(element) == "Page"), None)
    size = {} if page is None else {key.casefold(): value for key, value in page.items()}
    width, height = (
        float(size.get(f"image{side}") or size.get(side) or 0) for side in ("width", "height")
    )
    return width, height


def parse_points(text: str) -> NDArray[np.float64] | None:
    """Points (n, 2) of "x,y x,y", or of "x y x y" as some ALTO has them; None without any.

    Raises:
        ValueError: a coordinate is no number, or one is missing.

    >>> parse_points("10,20 30,40")
    array([[10., 20.],
           [30., 40.]])
    """
    numbers = [float(number) for number in text.replace(",", " ").split()]
    if len(numbers) % 2:
        raise ValueError(f"{len(numbers)} coordinates make no points")
    return np.array(numbers).reshape(-1, 2) if numbers else None


def child(element: ET.Element, name: str) -> ET.Element | None:
    """The first child of that name."""
    return next((one for one in element if name_of(one) == name), None)


def name_of(element: ET.Element) -> str:
    """Name without the namespace, which differs by version."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


class _Builder(ET.TreeBuilder):
    """Refuses document types, which alone can declare entities that expand or read other files."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("it has a document type")

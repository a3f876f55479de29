"""Baselines of the text lines of a page, block by block, from PAGE XML or ALTO."""

from __future__ import annotations

from typing import NamedTuple
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from dgmp.scans.layout_xml import child, name_of, page_size, parse_layout, parse_points

BLOCKS = ("TextRegion", "TextBlock")


class Block(NamedTuple):
    """A text block; `kind` is what the layout calls it, e.g. MainZone, in small letters.

    Baselines are (n, 2) of x and y, n at least 2, in the layout's unit.
    """

    kind: str
    baselines: list[NDArray[np.float64]]


class Baselines(NamedTuple):
    """The text blocks of a page, and the page's width in their unit, 0 if the layout is silent."""

    blocks: list[Block]
    width: float


def read_baselines(layout: bytes) -> Baselines:
    """Read the baselines of a layout; lines that have none, or a mere height, are left out.

    Raises:
        ValueError: it is no PAGE XML or ALTO that can be read.
    """
    try:
        root = parse_layout(layout)
        labels = {e.get("ID"): e.get("LABEL", "") for e in root.iter() if e.get("LABEL")}
        blocks = [_block(e, labels) for e in root.iter() if name_of(e) in BLOCKS]
        width, _ = page_size(root)
    except (ET.ParseError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"no PAGE XML or ALTO that can be read ({reason})") from None
    return Baselines(blocks, width)


def _block(element: ET.Element, labels: dict[str | None, str]) -> Block:
    if name_of(element) == "TextBlock":
        kinds = [labels.get(tag, "") for tag in (element.get("TAGREFS") or "").split()]
    else:
        kinds = [element.get("type", ""), element.get("custom", "")]
    lines = (line for line in element.iter() if name_of(line) == "TextLine")
    baselines = [points for line in lines if (points := _baseline(line)) is not None]
    return Block(" ".join(filter(None, kinds)).lower(), baselines)


def _baseline(line: ET.Element) -> NDArray[np.float64] | None:
    inner = child(line, "Baseline")
    text = line.get("BASELINE") if inner is None else inner.get("points")
    # In ALTO before version 4 a single number, the height.
    if text is None or len(text.replace(",", " ").split()) < 4:
        return None
    points = parse_points(text)
    if points is not None and not np.isfinite(points).all():
        raise ValueError("a coordinate is no finite number")
    return points

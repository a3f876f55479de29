"""Where the pictures of a report stand in its folder, by the rows of their pages.

| picture | of |
|---|---|
| `thumbs/00012.webp`, `pages/00012.webp` | every page with writing: thumbnail, preview |
| `maps/00012.webp` | the same: map of weights |
| `pairs/00012-00034.webp` | every key (12, 34) of `Findings.evidence`: 12 above, 34 below |
| `thumbs/set-aside-00003.webp` | every page with too little writing, by its place in their list |
"""

from __future__ import annotations


def thumb(row: int) -> str:
    """Thumbnail of a page.

    >>> thumb(12)
    'thumbs/00012.webp'
    """
    return f"thumbs/{row:05d}.webp"


def preview(row: int) -> str:
    """Preview of a page."""
    return f"pages/{row:05d}.webp"


def weights(row: int) -> str:
    """Map of weights of a page."""
    return f"maps/{row:05d}.webp"


def pairs(row: int, hit: int) -> str:
    """Letters of a page above those of its hit."""
    return f"pairs/{row:05d}-{hit:05d}.webp"


def set_aside(place: int) -> str:
    """Thumbnail of a page with too little writing."""
    return f"thumbs/set-aside-{place:05d}.webp"

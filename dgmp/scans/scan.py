"""One page of a person's scans, and what could not be taken for one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Scan:
    """One page.

    Attributes:
        name: What it is called wherever people see it, one line, unique in a listing: the path
            relative to the folder, with `#2` for the second page of a file of several; label of the
            manifest and of the canvas.
        file: The image, PDF or TIFF it is read from.
        page: Number of the page in its file, from 1.
        codex: The book, roll or bundle it belongs to; pages of one codex are no news to each other.
        hand: Who wrote it, if that is known; "" if not.
        order: Its place in the codex, from 0.
        note: Anything a person wants to see beside it.
        layout: PAGE XML or ALTO file that says where the text is.
    """

    name: str
    file: Path
    page: int = 1
    codex: str = ""
    hand: str = ""
    order: int = 0
    note: str = ""
    layout: Path | None = None


@dataclass(frozen=True)
class Refused:
    """Something that is not ranked, and why, in one line for a person."""

    name: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """What a source holds, codex after codex in the order of their pages."""

    scans: list[Scan] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

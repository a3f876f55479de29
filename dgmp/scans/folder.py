"""Files below a folder that may be pages."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from dgmp.scans.kinds import HEAD, SUFFIXES, UNREAD, sniff
from dgmp.scans.layout import find_layout
from dgmp.scans.manifest import is_manifest
from dgmp.scans.names import in_short, natural, one_line
from dgmp.scans.scan import Refused

IGNORED = {
    *("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "$recycle.bin"),
    *("lost+found", "system volume information"),
}
"""What systems leave in folders, in lower case; hidden files are ignored as well."""


class Found(NamedTuple):
    """What a folder holds: files that should be pages or manifests, and what is neither."""

    files: list[Path]
    refused: list[Refused]


def find_files(folder: Path, *, skip: Collection[Path] = ()) -> Found:
    """Find the files at any depth that should be pages, in natural order.

    Files of other kinds are counted in one line, those of picture formats that are not read in one
    line for each. PAGE XML and ALTO beside an image is neither.

    Args:
        folder: Where to look; links to folders are followed, each folder is visited once.
        skip: Files and folders to leave out.
    """
    images: list[Path] = []
    manifests: list[Path] = []
    others: list[Path] = []
    unread: dict[str, list[Path]] = {}
    all_files, refused = _walk(folder, skip)
    for file in all_files:
        suffix = file.suffix.lower()
        if suffix in SUFFIXES or (not suffix and _is_image(file)):
            images.append(file)
        elif suffix in UNREAD:
            unread.setdefault(suffix, []).append(file)
        elif suffix == ".json" and is_manifest(file):
            manifests.append(file)
        else:
            others.append(file)
    layouts = {find_layout(image) for image in images}
    others = [file for file in others if file not in layouts]

    def short(paths: list[Path]) -> str:
        return in_short([one_line(relative(path, folder)) for path in paths])

    for suffix, those in unread.items():
        reason = f"this format is not read, save as JPEG, PNG or TIFF: {short(those)}"
        refused.append(Refused(f"{count_files(len(those))} {suffix}", reason))
    if others:
        reason = f"no image{'s' * (len(others) > 1)}: {short(others)}"
        refused.append(Refused(count_files(len(others)), reason))
    pages = sorted(images + manifests, key=lambda file: natural(relative(file, folder)))
    return Found(pages, refused)


def relative(file: Path, folder: Path) -> str:
    """Path of a file as seen from a folder, with slashes; whole if it lies elsewhere."""
    inside = file.is_relative_to(folder)
    return (file.relative_to(folder) if inside else file).as_posix()


def _walk(folder: Path, skip: Collection[Path]) -> tuple[list[Path], list[Refused]]:
    found: list[Path] = []
    refused: list[Refused] = []
    seen: set[tuple[int, int]] = set()
    skipped = {path.resolve() for path in skip}

    def fail(error: OSError) -> None:
        name = one_line(relative(Path(error.filename), folder))
        refused.append(Refused(name, f"the folder cannot be read: {error.strerror}"))

    for place, folders, names in os.walk(folder, onerror=fail, followlinks=True):
        at = os.stat(place)
        if (at.st_dev, at.st_ino) in seen or Path(place).resolve() in skipped:
            folders.clear()
            continue
        seen.add((at.st_dev, at.st_ino))
        folders[:] = sorted((name for name in folders if not _ignored(name)), key=natural)
        paths = (Path(place) / name for name in names if not _ignored(name))
        found += [path for path in paths if path not in skip and _is_file(path)]
    return sorted(found, key=lambda file: natural(relative(file, folder))), refused


def _ignored(name: str) -> bool:
    return name.startswith((".", "~$")) or name.casefold() in IGNORED


def _is_file(file: Path) -> bool:
    # Neither a pipe, which would block, nor a link to nothing.
    try:
        return stat.S_ISREG(file.stat().st_mode)
    except OSError:
        return False


def _is_image(file: Path) -> bool:
    try:
        with open(file, "rb") as opened:
            return sniff(opened.read(HEAD)) is not None
    except OSError:
        return False


def count_files(count: int) -> str:
    """How many files, in words.

    >>> count_files(1), count_files(2000)
    ('1 file', '2,000 files')
    """
    return f"{count:,} file{'s' * (count > 1)}"

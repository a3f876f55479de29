"""Members of zip archives from elsewhere: checked as a whole, then taken one by one by name."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path, PurePosixPath

from dgmp.files import whole_file

LARGEST_MEMBER = 512 << 20
"""Bytes; more than any page of the data sets has, unpacked."""

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)


class ArchiveError(ValueError):
    """An archive is damaged, or holds what an archive of images has no business to hold."""


def members(archive: Path, folder: str) -> dict[str, zipfile.ZipInfo]:
    """The files that lie flat in the top folder of an archive, by their names in it.

    Raises:
        ArchiveError: the archive is damaged; or holds a path that leads out of it, a link, a name
            twice, an encrypted member or one of unreasonable size; or nothing in that folder.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = opened.infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise ArchiveError(f"{archive} is no readable zip archive ({error}): get it anew") from None
    seen: set[str] = set()
    inside: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        reason = _suspicious(entry)
        if entry.filename in seen:
            reason = "is there twice"
        if reason:
            raise ArchiveError(
                f"{archive}: its member {entry.filename!r} {reason}: nothing was unpacked; this is "
                "not the published archive, get it from a place you trust"
            )
        seen.add(entry.filename)
        path = PurePosixPath(entry.filename)
        if not entry.is_dir() and path.parent == PurePosixPath(folder):
            inside[path.name] = entry
    if not inside:
        folders = sorted({PurePosixPath(name).parts[0] for name in seen if name})
        raise ArchiveError(
            f"{archive} has nothing in the folder {folder!r}; there are: "
            f"{', '.join(folders[:5]) or 'no members'}: correct its folder in data/sources.yaml"
        )
    return inside


def read_member(archive: Path, member: str) -> bytes:
    """The content of a small member.

    Raises:
        ArchiveError: it is damaged.
    """
    try:
        return _opened(archive).read(member)
    except DAMAGED as error:
        raise ArchiveError(f"{archive}: {member} is damaged ({error}): get it anew") from None


class _UnfitError(Exception):
    """A file that the check refuses: it must not appear."""


def unpack(
    archive: Path, member: str, target: Path, check: Callable[[Path], str | None]
) -> str | None:
    """Write a member to `target`, unless it is damaged or `check` objects.

    Args:
        archive: A zip archive that `members` has looked through.
        member: The whole name of the member.
        target: Appears whole or not at all.
        check: What is wrong with a file, None if nothing is.

    Returns:
        What is wrong, None if nothing is.
    """
    # The ending stays, since images are told apart by it.
    try:
        with whole_file(target) as part:
            with _opened(archive).open(member) as source, open(part, "wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
            if wrong := check(part):
                raise _UnfitError(wrong)
    except _UnfitError as error:
        return str(error)
    except DAMAGED as error:
        return f"damaged in the archive ({error})"
    return None


@lru_cache(maxsize=8)
def _opened(archive: Path) -> zipfile.ZipFile:
    """Kept open in each process: the list of thousands of members is read once."""
    return zipfile.ZipFile(archive)


def _suspicious(entry: zipfile.ZipInfo) -> str | None:
    name = entry.filename.replace("\\", "/")
    parts = name.split("/")
    if name.startswith("/") or ":" in parts[0] or ".." in parts:
        return "leads out of the archive"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or device"
    if entry.flag_bits & 1:
        return "is encrypted"
    if entry.file_size > LARGEST_MEMBER:
        return f"would unpack to {entry.file_size / 1e9:.1f} GB"
    return None

"""Single files of a commit that a server packed as tar.gz, each held to its git object id."""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from dgmp.files import whole_file

LARGEST_FILE = 256 << 20
"""Bytes; several times the largest image of the benchmark."""

DAMAGED = (tarfile.TarError, EOFError, zlib.error, OSError)


def object_id(content: bytes) -> str:
    """The name under which git stores a file's content.

    >>> object_id(b"")
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    header = b"blob %d\0" % len(content)
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def take_files(
    archive: Path, commit: str, wanted: Mapping[str, str], target: Path
) -> dict[str, str]:
    """Write files of a commit to `target`, each under its git object id.

    The archive is read once, as a stream, and no further than to the last of the files.

    Args:
        archive: A tar.gz with one folder around the files of the commit.
        commit: What the archive is of; it is held against what the archive says itself.
        wanted: Object ids of files by path.
        target: A folder.

    Returns:
        What is wrong with files, by path; those that are not in it were written.
    """
    missing = dict(wanted)
    wrong: dict[str, str] = {}
    try:
        with tarfile.open(archive, "r|gz") as opened:
            told = opened.pax_headers.get("comment", commit)
            if told != commit:
                return dict.fromkeys(wanted, f"{archive} is of commit {told}")
            for member in opened:
                path = member.name.partition("/")[2]
                if path not in missing:
                    continue
                expected = missing[path]
                if problem := _take(opened, member, expected, target / expected):
                    wrong[path] = problem
                del missing[path]
                if not missing:
                    break
    except DAMAGED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        return wrong | dict.fromkeys(missing, f"{archive} is no whole tar.gz archive ({reason})")
    return wrong | dict.fromkeys(missing, f"is not in {archive}")


def _take(
    opened: tarfile.TarFile, member: tarfile.TarInfo, expected: str, target: Path
) -> str | None:
    content = opened.extractfile(member) if member.isreg() else None
    if content is None:
        return "is no file"
    if member.size > LARGEST_FILE:
        return f"would have {member.size / 1e9:.1f} GB"
    data = content.read()
    found = object_id(data)
    if found != expected:
        return f"has other bytes: its git object id is {found}, expected {expected}"
    with whole_file(target) as part:
        part.write_bytes(data)
    return None

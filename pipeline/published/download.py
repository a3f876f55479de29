"""Files of data/sources.yaml: from a mirror folder, from before, or from the network; verified."""

from __future__ import annotations

import logging
import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import pooch
import requests

from pipeline.published.resuming import TIMEOUT, Resuming, TransientError, check_room
from pipeline.published.sources import (
    CHECKSUMS_FILE,
    SOURCES_FILE,
    Catalogue,
    Found,
    Sources,
    load_sources,
    read_found,
    record_found,
)
from pipeline.shared.settings.params import Params

log = logging.getLogger(__name__)

Contents = TypeVar("Contents", bound=Catalogue)

MIRROR = "DGMP_MIRROR"
LARGE = 500_000_000
"""Bytes; the checksum of such a file takes seconds."""


class MismatchError(ValueError):
    """A file has another size or checksum than it must."""


class Expected(NamedTuple):
    """What is known of a file before it is there."""

    bytes: int | None
    checksum: str | None


class Published(NamedTuple):
    """What a Zenodo record tells: size and md5 by file name, and the licence."""

    files: dict[str, Expected]
    licence: str | None


@dataclass
class Downloads(Generic[Contents]):
    """Finds and fetches files; `mirror` is looked in first and never written to.

    Attributes:
        sources: What there is to fetch.
        folder: Where downloads go.
        mirror: A folder of files that are there already, at any depth; None for none.
        checksums: The file of what was found at first downloads.
        listed_in: The file of `sources`, which messages name.
    """

    sources: Contents
    folder: Path
    mirror: Path | None = None
    checksums: Path = CHECKSUMS_FILE
    listed_in: Path = SOURCES_FILE
    _records: dict[str, Published | None] = field(default_factory=dict)
    _unrecorded: dict[str, Found] = field(default_factory=dict)

    def obtain(self, names: Iterable[str]) -> dict[str, Path]:
        """Where each of the files is, after all are there and verified.

        Raises:
            MismatchError: a file has another size or checksum than it must.
            ValueError: a file cannot be had, or the disk has no room; the message says what to do.
        """
        names = list(names)
        paths = {name: self.find(name) for name in names}
        missing = [name for name, path in paths.items() if path is None]
        if missing:
            self.folder.mkdir(parents=True, exist_ok=True)
            needed = sum(self._remaining(name) for name in missing)
            check_room(self.folder, needed, f"{len(missing)} downloads")
        return {name: self._obtain(name, path) for name, path in paths.items()}

    def record(self, names: Iterable[str]) -> None:
        """Hold files to what was obtained, from now on: those that had no checksum to be held to.

        Args:
            names: Files that have proved to be the right ones.
        """
        for name in names:
            if name in self._unrecorded:
                found = self._unrecorded.pop(name)
                record_found(name, found, self.checksums)
                log.info("%s: recorded in %s, commit it: %s", name, self.checksums, found.checksum)

    def find(self, name: str) -> Path | None:
        """The file in the mirror or among the downloads, unverified; None if it is in neither.

        Raises:
            ValueError: the mirror is no folder.
        """
        if self.mirror is not None:
            if not self.mirror.is_dir():
                raise ValueError(
                    f"the mirror {self.mirror} is no folder: correct {MIRROR} or mirror in "
                    "params.yaml"
                )
            for known in (name, *self.sources.files[name].aliases):
                found = sorted(path for path in self.mirror.rglob(known) if path.is_file())
                if found:
                    return found[0]
        path = self.folder / name
        return path if path.is_file() else None

    def expected(self, name: str) -> Expected:
        """Size and checksum by data/sources.yaml, else by data/checksums.yaml."""
        file = self.sources.files[name]
        found = read_found(self.checksums).get(name)
        return Expected(
            file.bytes or (found.bytes if found else None),
            file.checksum or (found.checksum if found else None),
        )

    def published(self, name: str) -> Published | None:
        """What the file's record tells; None if it has none or cannot be asked."""
        record = self.sources.origins[self.sources.files[name].origin].record
        if record is None:
            return None
        if record not in self._records:
            self._records[record] = _ask(record)
        return self._records[record]

    def _obtain(self, name: str, path: Path | None) -> Path:
        expected = self.expected(name)
        record = None
        if expected.checksum is None and (record := self.published(name)):
            told = record.files.get(name, Expected(None, None))
            expected = Expected(expected.bytes or told.bytes, told.checksum)
        if path is None:
            path = self._fetch(name, expected)
        if path.stat().st_size > LARGE:
            log.info("%s: verifying %s", name, path)
        verify(path, expected, self.folder)
        if self.expected(name).checksum is None:
            self._unrecorded[name] = Found(
                bytes=path.stat().st_size,
                checksum=f"sha256:{pooch.file_hash(str(path), alg='sha256')}",
                published=expected.checksum,
                licence=record.licence if record else None,
            )
        return path

    def _part(self, name: str) -> Path:
        """Where the bytes of an unfinished download stay."""
        return self.folder / f"{name}.part"

    def _remaining(self, name: str) -> int:
        part = self._part(name)
        have = part.stat().st_size if part.is_file() else 0
        return max(0, (self.expected(name).bytes or 0) - have)

    def _fetch(self, name: str, expected: Expected) -> Path:
        part = self._part(name)
        reasons = []
        for url in self.sources.files[name].urls:
            log.info("%s: downloading from %s", name, url)
            pooch.get_logger().setLevel("WARNING")
            store = pooch.create(
                self.folder, base_url="", registry={name: expected.checksum}, urls={name: url}
            )
            downloader = Resuming(part, size=expected.bytes, verified=bool(expected.checksum))
            try:
                return Path(store.fetch(name, downloader=downloader))
            except (ValueError, requests.RequestException, TransientError) as error:
                log.warning("%s: %s: %s", name, url, error)
                reasons.append(f"{url}: {error}")
        raise ValueError(
            f"{name} cannot be downloaded: {'; '.join(reasons)}: run again (it goes on where it "
            f"broke off), or get the file elsewhere and put it into {self.folder} or into a "
            f"folder named by {MIRROR}; a new address goes to {self.listed_in}"
        )


def downloads_of(params: Params) -> Downloads[Sources]:
    """The downloads of the active profile, with the mirror of DGMP_MIRROR or of params.yaml."""
    return Downloads(load_sources(), params.data / "downloads", mirror_of(params))


def mirror_of(params: Params) -> Path | None:
    """The folder of files that are there already, by DGMP_MIRROR or params.yaml."""
    mirror = os.environ.get(MIRROR) or params.mirror
    return Path(mirror) if mirror else None


def verify(path: Path, expected: Expected, downloads: Path) -> None:
    """Check size, checksum and, for an archive, that it is one.

    Raises:
        MismatchError: one of them is wrong.
    """
    size = path.stat().st_size
    remedy = (
        f"delete it and run again, to download it anew to {downloads}"
        if path.is_relative_to(downloads)
        else "replace it in the mirror"
    ) + f"; if it was changed by its publisher and is right, correct {SOURCES_FILE}, or delete its "
    remedy += f"entry in {CHECKSUMS_FILE}"
    if expected.bytes is not None and size != expected.bytes:
        raise MismatchError(f"{path}: expected {expected.bytes} bytes, found {size}: {remedy}")
    if expected.checksum is not None:
        kind = expected.checksum.partition(":")[0]
        found = f"{kind}:{pooch.file_hash(str(path), alg=kind)}"
        if found != expected.checksum:
            raise MismatchError(f"{path}: expected {expected.checksum}, found {found}: {remedy}")
    if path.suffix == ".zip" and not zipfile.is_zipfile(path):
        raise MismatchError(f"{path}: expected a zip archive, found something else: {remedy}")


def _ask(record: str) -> Published | None:
    try:
        answer = requests.get(record, timeout=TIMEOUT)
        answer.raise_for_status()
        content: dict[str, Any] = answer.json()
        files = {
            file["key"]: Expected(
                int(file["size"]),
                file["checksum"] if file["checksum"].startswith("md5:") else None,
            )
            for file in content["files"]
        }
        licence = content.get("metadata", {}).get("license", {}).get("id")
    except (requests.RequestException, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning(
            "%s does not tell checksums (%s): files are taken as they come, and what they have "
            "is recorded",
            record,
            error,
        )
        return None
    return Published(files, licence)

"""Pages of a IIIF manifest, fetched into a folder."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from tqdm import tqdm

from dgmp.scans.fetching import Fetcher, RefusedError, SilentError
from dgmp.scans.image_service import image_address, info_address, service_address, service_id
from dgmp.scans.kinds import count_pages
from dgmp.scans.manifest import Canvas, Manifest, parse_manifest
from dgmp.scans.names import one_line
from dgmp.scans.scan import Listing, Refused, Scan

MOST_SILENT = 3
"""Pages in a row without an answer, after which the others are not asked for."""


def list_manifest(source: str | Path, downloads: Path, *, width: int) -> Listing:
    """List the pages of a manifest, after fetching those images that are not there yet.

    Args:
        source: Address of a manifest, or the file. The manifest of an address is fetched once: to
            have a new version, delete its folder.
        downloads: Where a folder for the manifest goes.
        width: Of the images in pixels; narrower ones come as they are.

    Raises:
        ValueError: the manifest cannot be had or read.
    """
    fetcher = Fetcher()
    if isinstance(source, Path):
        data = source.read_bytes()
        folder = downloads / _digest(data)
        manifest = parse_manifest(data, str(source))
    else:
        folder = downloads / _digest(source.encode())
        manifest = _fetch_manifest(source, folder, fetcher)
    return _fetch_pages(manifest, folder, width, fetcher)


def _fetch_manifest(address: str, folder: Path, fetcher: Fetcher) -> Manifest:
    def check(file: Path) -> Manifest:
        return parse_manifest(file.read_bytes(), address)

    try:
        return check(fetcher.fetch(address, folder / "manifest.json", check))
    except (SilentError, RefusedError) as error:
        raise ValueError(f"the manifest {address} cannot be fetched: {error}") from None


def _fetch_pages(manifest: Manifest, folder: Path, width: int, fetcher: Fetcher) -> Listing:
    listing = Listing()
    silent, unasked = 0, 0
    bar = tqdm(manifest.canvases, desc=manifest.label[:40], unit="page", disable=None)
    for place, canvas in enumerate(bar):
        label = canvas if isinstance(canvas, str) else canvas.label
        name = f"{manifest.label}/{label}"
        if isinstance(canvas, str):
            listing.refused.append(Refused(name, "a canvas without an image"))
            continue
        file = folder / _file_name(canvas, width)
        if not file.is_file():
            if silent == MOST_SILENT:
                unasked += 1
                continue
            try:
                _fetch_page(canvas, file, width, fetcher)
                silent = 0
            except ValueError as error:
                silent = silent + 1 if isinstance(error, SilentError) else 0
                listing.refused.append(Refused(name, one_line(str(error))))
                continue
        listing.scans.append(Scan(name, file, codex=manifest.label, order=place, note=label))
    if unasked:
        reason = "not asked for, because the server fell silent: run again later"
        listing.refused.append(Refused(f"{unasked:,} pages of {manifest.label}", reason))
    return listing


def _file_name(canvas: Canvas, width: int) -> str:
    service = canvas.service and info_address(canvas.service)
    return f"{_digest(f'{canvas.image} {service} {width}'.encode())}.jpg"


def _fetch_page(canvas: Canvas, file: Path, width: int, fetcher: Fetcher) -> Path:
    address = image_address(canvas, width)
    if canvas.service is None or address is None:
        address = address or _ask_service(canvas, file, width, fetcher)
        return fetcher.fetch(address, file, count_pages)
    try:
        return fetcher.fetch(address, file, count_pages)
    except RefusedError as error:
        # Perhaps it has other sizes than the manifest tells.
        try:
            other = _ask_service(canvas, file, width, fetcher)
        except ValueError:
            raise error from None
        if other == address:
            raise
    return fetcher.fetch(other, file, count_pages)


def _ask_service(canvas: Canvas, file: Path, width: int, fetcher: Fetcher) -> str:
    """Address of the image of a canvas by the service's own info.json."""
    service = canvas.service or {}

    def read(info: Path) -> dict[str, Any]:
        try:
            told = json.loads(info.read_bytes())
        except (UnicodeDecodeError, RecursionError, ValueError):
            told = None
        if not isinstance(told, dict):
            raise ValueError(f"{info_address(service)} is no JSON object")
        # Its own address may be wrong, behind a proxy.
        return service | told | {"id": service_id(service)}

    told = read(fetcher.fetch(info_address(service), file.with_suffix(".json"), read))
    address = service_address(told, width, canvas.width)
    if address is None:
        raise ValueError(f"{info_address(service)} tells no width or no sizes")
    return address


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()[:16]

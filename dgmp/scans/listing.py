"""From a folder, a file or an address to pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from dgmp.scans.folder import count_files, find_files, relative
from dgmp.scans.iiif import list_manifest
from dgmp.scans.kinds import count_pages
from dgmp.scans.layout import find_layout
from dgmp.scans.names import in_short, natural, one_line, unique
from dgmp.scans.pages_csv import NAME, Row, read_pages_csv
from dgmp.scans.scan import Listing, Refused, Scan

WIDTH = 2000
"""Pixels of the images that are fetched of a manifest."""


def list_scans(source: str, downloads: Path, *, width: int = WIDTH) -> Listing:
    """List the pages of a source, by the headers of its files.

    A folder is searched at any depth. The folder of a page is its codex, but a file of several
    pages and a manifest are codices of their own; natural order is the order. If there is a
    `pages.csv` in the folder, only the pages of its rows are listed, in the order of its column
    `order`, else of its rows.

    Args:
        source: A folder; a page image, PDF, IIIF manifest or pages.csv; or the http(s) address of a
            manifest.
        downloads: Where images of manifests go; left out if it lies in the folder.
        width: Of the images that are fetched of a manifest, in pixels.

    Raises:
        ValueError: the source is missing, a manifest that is the source cannot be had, or the
            pages.csv is wrong.
    """
    if source.lower().startswith(("http://", "https://")):
        return _arranged(list_manifest(source, downloads, width=width))
    path = Path(source).expanduser()
    if path.is_dir():
        listing = _list_folder(path, path / NAME, downloads, width)
    elif not path.is_file():
        raise ValueError(
            f"{source} is missing: name a folder, an image, a PDF, a IIIF manifest or its address"
        )
    elif path.suffix.lower() == ".csv":
        listing = _list_folder(path.parent, path, downloads, width)
    elif path.suffix.lower() == ".json":
        listing = list_manifest(path, downloads, width=width)
    else:
        listing = _list_file(path, path.parent, downloads, width)
    return _arranged(listing)


def _list_folder(folder: Path, csv_file: Path, downloads: Path, width: int) -> Listing:
    found = find_files(folder, skip=[downloads, csv_file])
    if not csv_file.is_file():
        listings = [_list_file(file, folder, downloads, width) for file in found.files]
        scans = [scan for listing in listings for scan in listing.scans]
        return Listing(scans, [*_refused(listings), *found.refused])
    rows = read_pages_csv(csv_file, found.files)
    named = {
        file: _list_file(file, folder, downloads, width)
        for file in dict.fromkeys(r.file for r in rows)
    }
    rows.sort(key=lambda row: (not row.order, natural(row.order)))
    scans = [scan for row in rows for scan in _of_row(row, named[row.file], csv_file)]
    refused = [*_refused(named.values()), *found.refused]
    if unnamed := [one_line(relative(f, folder)) for f in found.files if f not in named]:
        refused.append(
            Refused(count_files(len(unnamed)), f"not in {csv_file}: {in_short(unnamed)}")
        )
    return Listing(scans, refused)


def _refused(listings: Iterable[Listing]) -> list[Refused]:
    return [refused for listing in listings for refused in listing.refused]


def _list_file(file: Path, folder: Path, downloads: Path, width: int) -> Listing:
    name = one_line(relative(file, folder))
    try:
        if file.suffix.lower() == ".json":
            return list_manifest(file, downloads, width=width)
        pages = count_pages(file)
    except ValueError as error:
        return Listing([], [Refused(name, one_line(str(error)))])
    if pages == 1:
        place = relative(file.parent, folder)
        codex = one_line(folder.resolve().name if place == "." else place)
        return Listing([Scan(name, file, codex=codex, layout=find_layout(file))])
    codex = name.removesuffix(file.suffix)
    return Listing([Scan(f"{name}#{n}", file, n, codex) for n in range(1, pages + 1)])


def _of_row(row: Row, listing: Listing, csv_file: Path) -> list[Scan]:
    """The pages that a row names, with what it tells of them."""
    scans = listing.scans
    if row.page is not None and scans:
        if row.file.suffix.lower() == ".json":
            raise ValueError(
                f"{csv_file} line {row.line}: pages of a manifest cannot be chosen: name it "
                f"without #{row.page}"
            )
        scans = [scan for scan in scans if scan.page == row.page]
        if not scans:
            raise ValueError(
                f"{csv_file} line {row.line}: {row.file.name} has no page {row.page}, but "
                f"{len(listing.scans)} pages: correct the number, or delete the line"
            )
    return [
        replace(
            scan,
            codex=one_line(row.codex) or scan.codex,
            hand=one_line(row.hand),
            note=one_line(row.note) or scan.note,
        )
        for scan in scans
    ]


def _arranged(listing: Listing) -> Listing:
    """The same, codex after codex, with places from 0 and names that are unique."""
    scans = sorted(listing.scans, key=lambda scan: natural(scan.codex))
    names = unique(scan.name for scan in scans)
    place: Counter[str] = Counter()
    arranged = []
    for scan, name in zip(scans, names, strict=True):
        arranged.append(replace(scan, name=name, order=place[scan.codex]))
        place[scan.codex] += 1
    return Listing(arranged, listing.refused)

"""From a person's scans to the report of a search."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from dgmp import __version__
from dgmp.files import whole_folder
from dgmp.scans.listing import list_scans
from dgmp.scans.scan import Refused, Scan
from dgmp.search.assembly import findings_of
from dgmp.search.described import DescribedScan
from dgmp.search.findings import Findings
from dgmp.search.index import Index
from dgmp.search.working_page import PEN
from pipeline.scans.describing import describe_scans
from pipeline.scans.judgements import read_judgements
from pipeline.scans.picture_files import write_pictures
from pipeline.scans.report import write_report
from pipeline.scans.report_name import SYNTHETIC
from pipeline.scans.synthetic import write_codices
from pipeline.scans.tables import write_tables
from pipeline.shared.settings.search import Search

log = logging.getLogger(__name__)


class Pages(NamedTuple):
    """What was made of the scans: pages with writing, with too little, and none at all."""

    scans: list[Scan]
    described: list[DescribedScan]
    too_little: list[tuple[Scan, DescribedScan]]
    refused: list[Refused]


def search_scans(settings: Search, *, data: Path, report: Path) -> None:
    """Search, and write the report, which appears whole or not at all.

    Args:
        settings: What is searched, and how.
        data: Folder of downloads and of pages that were described before.
        report: Folder of the report.

    Raises:
        ValueError: there are no pages, or fewer than three with enough writing.
    """
    begun = time.perf_counter()
    source = settings.pages
    if source is None:
        source = str(data / SYNTHETIC)
        write_codices(Path(source), workers=settings.workers)
    listing = list_scans(source, data / "downloads", width=settings.width)
    log.info("%s: %d pages, %d refused", source, len(listing.scans), len(listing.refused))
    pages = _describe(listing.scans, settings, data / "described")
    refused = [*listing.refused, *pages.refused]
    if len(pages.scans) < 3:
        raise ValueError(
            f"{source}: a search needs 3 pages with writing, found {len(pages.scans)} "
            f"({len(pages.too_little)} with too little, {len(refused)} refused)"
            + "".join(f"\n  {one.name}: {one.reason}" for one in refused[:10])
        )
    index = Index.fit(
        pages.scans,
        pages.described,
        vocabulary=settings.vocabulary,
        most=settings.most,
        least=settings.least,
    )
    # Small products: several threads wait for each other longer than they work.
    with threadpool_limits(1), whole_folder(report) as folder:
        findings = find(index, settings)
        write_tables(folder, pages.scans, findings)
        index.graded(findings).save(folder / "index")
        hits = findings.hits if _several(index.scans) else findings.hits_everywhere
        evidence = write_pictures(
            folder,
            pages.described,
            [page for _, page in pages.too_little],
            [of_page[: settings.evidence] for of_page in hits],
            findings.groups,
            index.vlad,
            workers=settings.workers,
        )
        findings.evidence.update(evidence)
        write_report(
            folder,
            title=report.name,
            scans=pages.scans,
            shapes=index.shapes,
            too_little=[scan for scan, _ in pages.too_little],
            refused=refused,
            findings=findings,
            about=_about(index, pages, time.perf_counter() - begun),
        )
    _tell(report, findings, pages, refused)


def find(index: Index, settings: Search) -> Findings:
    """Findings about the pages of an index, without evidence."""
    scans = index.scans
    judged = {} if settings.judged is None else read_judgements(Path(settings.judged), scans)
    return findings_of(
        index.scoring.scores(),
        [scan.codex for scan in scans],
        orders=[scan.order for scan in scans],
        hands=[scan.hand for scan in scans],
        judged=judged,
    )


def _several(scans: Sequence[Scan]) -> bool:
    """Whether the pages are of several codices."""
    return len({scan.codex for scan in scans}) > 1


def _describe(scans: Sequence[Scan], settings: Search, store: Path) -> Pages:
    pages = Pages([], [], [], [])
    for scan, found in zip(scans, describe_scans(scans, settings, store), strict=True):
        if isinstance(found, Refused):
            pages.refused.append(found)
        elif len(found.local.sift) < settings.least:
            pages.too_little.append((scan, found))
        else:
            pages.scans.append(scan)
            pages.described.append(found)
    return pages


def _about(index: Index, pages: Pages, seconds: float) -> dict[str, str]:
    """What was done, by its headings."""
    made = {
        "own": f"made from these pages: {index.vlad.centres} centres",
        "background": "of pages of synthetic scribes, because these are few",
    }
    pens = np.array([page.pen for page in pages.described])
    counts = np.array([len(page.local.sift) for page in pages.described])
    return {
        "Pages": f"Each page is scaled so that its pen is {PEN:g} pixels wide (on the scans it is "
        f"{np.median(pens):.1f}, from {pens.min():.1f} to {pens.max():.1f}), and its ink is told "
        "from the paper (Sauvola). Only the ink is compared.",
        "Description": f"SIFT of the letters at up to {index.most:,} places a page (median "
        f"{np.median(counts):,.0f}), upright, so that slant counts.",
        "Comparison": "What is rare on a page counts like what is frequent: generalized max "
        f"pooling of the places at each centre of a vocabulary {made[index.vocabulary]}. Then "
        "whitening on these pages. The score says how much more similar two pages are than pages "
        "of different codices usually are here.",
        "Made": f"{datetime.now():%Y-%m-%d %H:%M}, in {seconds:.0f} s, by dgmp {__version__}.",
    }


def _tell(report: Path, findings: Findings, pages: Pages, refused: Sequence[Refused]) -> None:
    """What was found, on one screen."""
    groups = len(set(findings.groups.tolist()) - {-1})
    several = _several(pages.scans)
    nearest = findings.hits if several else findings.hits_everywhere
    likely = sum(bool(hits) and hits[0].grade == "same hand likely" for hits in nearest)
    log.info(
        "%d pages with writing, %d with too little, %d refused; %d suggested hands of several "
        "pages; %d pages have a likely mate%s",
        len(pages.scans), len(pages.too_little), len(refused), groups, likely,
        " in another codex" if several else "",
    )  # fmt: skip
    for one in findings.quality:
        log.info("%s: %d of %d", one.what, one.right, one.of)
    log.info("open %s", report / "index.html")

"""The name of a report, from what it is about."""

from __future__ import annotations

import re

SYNTHETIC = "synthetic"


def name_of(pages: str | None) -> str:
    """Name of the report about pages, fit for a folder.

    >>> name_of("https://library.org/iiif/Cod. 12/manifest.json"), name_of("my scans/")
    ('Cod-12', 'my-scans')
    """
    if pages is None:
        return SYNTHETIC
    parts = [part for part in re.split(r"[/\\]", pages) if part not in ("", ".", "..")]
    known = [part for part in parts if part not in ("manifest", "manifest.json", "pages.csv")]
    last = re.sub(r"\.(json|pdf|tiff?|png|jpe?g|jp2|webp|avif)$", "", (known or ["scans"])[-1])
    return re.sub(r"[^\w]+", "-", last).strip("-") or "scans"

"""Searches in a person's own scans."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.shared.settings.base import Count, Settings


class Search(Settings):
    """How scans are searched; an entry of `searches` sets anew what it names.

    `pages` is a folder, a file or the address of a IIIF manifest; null: synthetic codices. `width`
    is that of images of a manifest in pixels. A page of fewer than `least` local descriptors has
    too little writing, and keeps `most` of them. `vocabulary`: made from the pages themselves, or
    from synthetic scribes; auto chooses by their number. `evidence` is for so many hits of a page.
    `judged` is a csv of pairs that a person judged, `cluster` the address of a Dask scheduler.
    """

    pages: str | None
    width: Count
    most: Count
    least: Count
    vocabulary: Literal["auto", "own", "background"]
    evidence: int = Field(ge=0, le=10)
    judged: str | None
    workers: Count
    cluster: str | None

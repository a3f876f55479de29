"""An index of pages: what it takes to compare further pages with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, Self, get_args

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from dgmp.encoding import VLAD, load, save, without_information
from dgmp.files import whole_folder
from dgmp.images.reading import read_gray
from dgmp.scans.scan import Scan
from dgmp.search.background import load_background
from dgmp.search.described import DescribedScan, describe_scan
from dgmp.search.findings import Cutoffs, Hit
from dgmp.search.packed import Packed, Places, write_packed
from dgmp.search.scoring import Scoring

Vocabulary = Literal["auto", "own", "background"]

# Scans from which on `auto` makes the vocabulary from the scans themselves.
OWN_FROM = 60

# Of `dgmp.encoding.VLAD` with generalized max pooling, chosen on training manuscripts
# (docs/systems.md).
CENTRES, DIMENSIONS, LAMBDA, SAMPLE = 100, 64, 1.0, 150_000

FORMAT = "dgmp.search 1"
ENCODER, WHITENING = "encoder", "whitening"
VALUES, ARRAYS, PLACES = "index.json", "arrays.safetensors", "places.safetensors"
_REMEDY = "make the index again by `make search`"


class Answer(NamedTuple):
    """What an index says about a further page.

    Attributes:
        hits: Its nearest pages, the nearest first; none if it has too little writing.
        described: The page itself, for evidence and pictures.
    """

    hits: list[Hit]
    described: DescribedScan


@dataclass(frozen=True)
class Index:
    """Pages with writing, and the model that compares them.

    Attributes:
        vocabulary: `own` if it was made from the pages, else `background`.
        vlad: Encodes local descriptors.
        scoring: Of the pages.
        scans: The n pages.
        places: Their local descriptors.
        cutoffs: Of the grades.
        different: float32 (k,), sorted scores of pairs of pages of different codices.
        most: Local descriptors that pages were described by at most.
        fitted_on: Pages that the model was fitted on, the first ones.
    """

    vocabulary: Vocabulary
    vlad: VLAD
    scoring: Scoring
    scans: list[Scan]
    places: Sequence[Places]
    cutoffs: Cutoffs
    different: NDArray[np.float32]
    most: int
    fitted_on: int

    @classmethod
    def fit(
        cls,
        scans: Sequence[Scan],
        places: Sequence[Places],
        *,
        vocabulary: Vocabulary = "auto",
        most: int = 2500,
        least: int = 1,
    ) -> Self:
        """Make an index of pages, with cut-offs by the stated rule.

        Args:
            scans: The pages, all with enough writing.
            places: Their local descriptors.
            vocabulary: Made from the pages, from synthetic scribes, or `auto`: by their number.
            most: Local descriptors that the pages were described by at most.
            least: Local descriptors below which a further page has too little writing.

        Raises:
            ValueError: scans and places differ in number, fewer than 3 pages, too few local
                descriptors for a vocabulary, an unknown vocabulary.
        """
        if len(scans) != len(places):
            raise ValueError(f"an index needs places for each scan, got {len(places)}")
        if vocabulary not in get_args(Vocabulary):
            raise ValueError(f"unknown vocabulary {vocabulary!r}: auto, own or background")
        if vocabulary == "auto":
            vocabulary = "own" if len(scans) >= OWN_FROM else "background"
        pages = _Vectors(places)
        vlad = load_background()
        if vocabulary == "own":
            vlad = VLAD(
                centres=CENTRES,
                dimensions=DIMENSIONS,
                pooling="gmp",
                lambda_=LAMBDA,
                residuals="unit",
                sample=SAMPLE,
                least=least,
            ).fit(pages)
        vlad.set_params(least=least)
        scoring = Scoring.fit(vlad.transform(pages), [scan.codex for scan in scans])
        return cls(vocabulary, vlad, scoring, list(scans), places, RULE, ..., most, len(scans))

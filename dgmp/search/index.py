"""An index of pages: what it takes to compare further pages with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, get_args

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from dgmp.encoding import VLAD, load, save, without_information
from dgmp.encoding.local_descriptors import DescribedPage
from dgmp.files import whole_folder
from dgmp.images.reading import read_gray
from dgmp.scans.scan import Scan
from dgmp.search.background import background_vlad
from dgmp.search.described import DescribedScan, describe_scan
from dgmp.search.findings import Cutoffs, Findings, Hit
from dgmp.search.grading import stated_cutoffs
from dgmp.search.neighbours import scores_between_codices
from dgmp.search.packed import Packed, write_packed
from dgmp.search.scoring import OWN_VOCABULARY, Scoring

Vocabulary = Literal["auto", "own", "background"]

# Of `dgmp.encoding.VLAD` with generalized max pooling, chosen on training manuscripts
# (docs/systems.md).
CENTRES, DIMENSIONS, LAMBDA, SAMPLE = 100, 64, 1.0, 150_000

# Pages, evenly spaced, that a vocabulary is made from, and pages that are encoded together: their
# local descriptors as float32 take a megabyte a page.
PAGES_OF_VOCABULARY, PAGES_AT_ONCE = 600, 200

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
    """Pages with writing, and the model that compares further pages with them.

    Attributes:
        vocabulary: `own` if it was made from the pages, else `background`.
        vlad: Encodes local descriptors.
        vectors: float32 (n, D), the pages encoded.
        scoring: Of the pages.
        scans: The n pages.
        places: Their local descriptors.
        shapes: Height and width of each in pixels, at the size at which it was described.
        cutoffs: Of the grades.
        different: float32 (k,), see `dgmp.search.neighbours.scores_between_codices`.
        most: Local descriptors that a page is described by at most.
    """

    vocabulary: Vocabulary
    vlad: VLAD
    vectors: NDArray[np.float32]
    scoring: Scoring
    scans: list[Scan]
    places: Sequence[DescribedPage]
    shapes: list[tuple[int, int]]
    cutoffs: Cutoffs
    different: NDArray[np.float32]
    most: int

    @classmethod
    def fit(
        cls,
        scans: Sequence[Scan],
        pages: Sequence[DescribedScan],
        *,
        vocabulary: Vocabulary = "auto",
        most: int = 2500,
        least: int = 1,
    ) -> Self:
        """Make an index of pages, with the stated cut-offs.

        Args:
            scans: The pages, all with enough writing.
            pages: What `describe_scan` gives for each.
            vocabulary: Made from the pages, from synthetic scribes, or `auto`, by their number.
            most: Local descriptors that a page is described by at most.
            least: Local descriptors below which a further page has too little writing.

        Raises:
            ValueError: scans and pages differ in number, fewer than 3, too few local
                descriptors for a vocabulary, an unknown vocabulary.
        """
        if len(scans) != len(pages):
            raise ValueError(f"{len(scans)} scans need as many pages, got {len(pages)}")
        places = [page.local for page in pages]
        if vocabulary not in get_args(Vocabulary):
            raise ValueError(f"unknown vocabulary {vocabulary!r}: auto, own or background")
        if vocabulary == "auto":
            enough = sum(len(place.sift) for place in places) >= OWN_VOCABULARY
            vocabulary = "own" if enough else "background"
        vlad = _own_vlad(places) if vocabulary == "own" else background_vlad()
        vlad.set_params(least=least)
        codices = [scan.codex for scan in scans]
        vectors = _encoded(vlad, places)
        scoring = Scoring.fit(vectors, codices)
        found = cls(vocabulary, vlad, vectors, scoring, list(scans), places,
                    [page.shape for page in pages], stated_cutoffs(),
                    np.empty(0, np.float32), most)  # fmt: skip
        return replace(found, different=scores_between_codices(scoring.scores(), codices))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read an index that `save` wrote, or the one in a report's folder.

        Raises:
            ValueError: a file is missing, damaged or of another format; it is named.
        """
        folder = Path(folder)
        if (folder / "index" / VALUES).is_file():
            folder = folder / "index"
        try:
            values = json.loads((folder / VALUES).read_text(encoding="utf-8"))
            arrays = load_file(folder / ARRAYS)
        except (OSError, ValueError, SafetensorError) as error:
            raise ValueError(f"{folder} holds no readable index ({error}): {_REMEDY}") from None
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise ValueError(f"{folder / VALUES} is not of the format {FORMAT!r}: {_REMEDY}")
        try:
            return cls._of(folder, values, arrays)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{folder} is of another version ({error}): {_REMEDY}") from None

    @classmethod
    def _of(cls, folder: Path, values: dict[str, Any], arrays: dict[str, Any]) -> Self:
        scans = [
            Scan(**one | {name: one[name] and Path(one[name]) for name in ("file", "layout")})
            for one in values["scans"]
        ]
        return cls(
            vocabulary=values["vocabulary"],
            vlad=load(folder / ENCODER),
            vectors=arrays["vectors"],
            scoring=Scoring(
                whitening=load(folder / WHITENING),
                rows=arrays["rows"],
                medians=arrays["medians"],
                spread=values["spread"],
                cohort=arrays["cohort"],
            ),
            scans=scans,
            places=Packed(folder / PLACES),
            shapes=[(height, width) for height, width in values["shapes"]],
            cutoffs=Cutoffs(**values["cutoffs"]),
            different=arrays["different"],
            most=values["most"],
        )

    def save(self, folder: str | Path) -> None:
        """Write the index to a folder, which appears whole or not at all."""
        scans = [
            asdict(scan) | {"file": str(scan.file), "layout": scan.layout and str(scan.layout)}
            for scan in self.scans
        ]
        values = {
            "format": FORMAT,
            "vocabulary": self.vocabulary,
            "most": self.most,
            "spread": self.scoring.spread,
            "cutoffs": asdict(self.cutoffs),
            "shapes": self.shapes,
            "scans": scans,
        }
        arrays = {
            "vectors": self.vectors,
            "rows": self.scoring.rows,
            "medians": self.scoring.medians,
            "cohort": self.scoring.cohort,
            "different": self.different,
        }
        with whole_folder(Path(folder)) as part:
            save(self.vlad, part / ENCODER)
            save(self.scoring.whitening, part / WHITENING)
            save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, part / ARRAYS)
            write_packed(part / PLACES, self.places)
            (part / VALUES).write_text(json.dumps(values, indent=1), encoding="utf-8")

    def graded(self, findings: Findings) -> Self:
        """The index with the cut-offs of findings about its pages."""
        return replace(self, cutoffs=findings.cutoffs)

    def query(self, page: NDArray[np.uint8] | str | Path, *, hits: int = 10) -> Answer:
        """Find the nearest pages of a further page; nothing is fitted.

        Args:
            page: Grey page uint8 (H, W), or the file of an image.
            hits: At most so many.

        Raises:
            ValueError: it cannot be read.
        """
        image = page if isinstance(page, np.ndarray) else read_gray(page)
        described = describe_scan(image, most=self.most)
        (scores,) = self.scoring.query(_encoded(self.vlad, [described.local]))
        if np.isnan(scores).any():
            return Answer([], described)
        order = np.argsort(-scores, kind="stable")[:hits]
        places = np.searchsorted(self.different, scores) / max(len(self.different), 1)
        found = [
            Hit(row, float(scores[row]), float(places[row]), self.cutoffs.grade(scores[row]))
            for row in order.tolist()
        ]
        return Answer(found, described)

    def add(self, scans: Sequence[Scan], pages: Sequence[DescribedScan]) -> Self:
        """The index with further pages, compared by the model as it is.

        The vocabulary stays; pages are whitened, and scores normalized, with the new ones among
        them. Make the index again when it has twice the pages that its vocabulary was made from.

        Raises:
            ValueError: scans and pages differ in number, a page has too little writing.
        """
        if len(scans) != len(pages):
            raise ValueError(f"{len(scans)} scans need as many pages, got {len(pages)}")
        places = [page.local for page in pages]
        added = _encoded(self.vlad, places)
        if without_information(added).any():
            raise ValueError("a page with too little writing cannot be added: leave it out")
        vectors = np.concatenate([self.vectors, added])
        together = [*self.scans, *scans]
        codices = [scan.codex for scan in together]
        scoring = Scoring.fit(vectors, codices)
        return replace(
            self,
            vectors=vectors,
            scoring=scoring,
            different=scores_between_codices(scoring.scores(), codices),
            scans=together,
            places=[*self.places, *places],
            shapes=[*self.shapes, *(page.shape for page in pages)],
        )


def new_vlad() -> VLAD:
    """The encoder, not fitted."""
    return VLAD(
        centres=CENTRES,
        dimensions=DIMENSIONS,
        pooling="gmp",
        lambda_=LAMBDA,
        residuals="unit",
        sample=SAMPLE,
    )


def _own_vlad(places: Sequence[DescribedPage]) -> VLAD:
    rows = np.unique(np.linspace(0, len(places) - 1, PAGES_OF_VOCABULARY).round().astype(int))
    return new_vlad().fit([places[row].vectors for row in rows])


def _encoded(vlad: VLAD, places: Sequence[DescribedPage]) -> NDArray[np.float32]:
    """Page vectors (n, D)."""
    blocks = [
        vlad.transform([place.vectors for place in places[start : start + PAGES_AT_ONCE]])
        for start in range(0, len(places), PAGES_AT_ONCE)
    ]
    found: NDArray[np.float32] = np.concatenate(blocks)
    return found

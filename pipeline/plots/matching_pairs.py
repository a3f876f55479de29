"""Pairs of local descriptors that carry most of the similarity of a query and its nearest page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgmp.encoding import load
from dgmp.encoding.pair_shares import pair_shares
from dgmp.images.reading import read_gray
from dgmp.images.stroke_width import stroke_width
from dgmp.metrics import evaluate_ranking
from pipeline.plots.page_thumbnails import Gray
from pipeline.plots.retrieval_rankings import from_best_to_worst
from pipeline.shared.settings.params import Params, ParamsError
from pipeline.shared.settings.systems import LocalSystem, Step
from pipeline.systems.local_store import LocalStore

QUERIES, PAIRS = 3, 8
# Before whitening. After it shares are larger and cancel: of three queries of the synthetic scribes
# the positive ones sum to about 300 times the cosine, instead of 15 times.
STEP: Step = "raw"
# Distance of the places shown on a page, of its longer side: their numbers do not cover each other.
APART = 0.06
Numbers = NDArray[Any]


@dataclass(frozen=True)
class Pair:
    """Two local descriptors: places (2, 2) and sizes (2,) in pixels, first those of the query.

    `share` is that of the similarity of the pages, in percent.
    """

    places: Numbers
    sizes: Numbers
    share: float


@dataclass(frozen=True)
class Match:
    """A query and the page that comes first, and their pairs by falling share.

    Attributes:
        files: of both, as in the page lists.
        pages: binary pages (H, W).
        right: whether they are of one writer.
        precision: average precision of the query in percent.
        similarity: cosine.
        positive: sum of all positive shares in percent; the negative ones take it down to 100.
        stroke: width of the query's strokes in pixels.
        pairs: those shown.
    """

    files: tuple[str, str]
    pages: tuple[Gray, Gray]
    right: bool
    precision: float
    similarity: float
    positive: float
    stroke: float
    pairs: tuple[Pair, ...]


def find_system(params: Params) -> tuple[str, LocalSystem]:
    """The first system of Table IV whose local descriptors are pooled by GMP.

    Raises:
        ParamsError: there is none.
    """
    for name in params.tables.table4:
        system = params.systems[name]
        if isinstance(system, LocalSystem) and system.pooling == "gmp":
            return name, system
    raise ParamsError(
        "params.yaml: tables.table4 lists no system of local descriptors with pooling gmp, which "
        "figure 10 would show: list one"
    )


def read_matches(params: Params) -> Iterator[Match]:
    """The best, the median and the worst query of the first run, by average precision.

    Queries whose first page has no positive similarity are left out.

    Raises:
        ParamsError: as `find_system`.
        ValueError: a file of the stages before is missing or damaged.
    """
    name, system = find_system(params)
    folder = params.data / "encode" / name
    with np.load(folder / f"seed{system.seeds[0]}.npz", allow_pickle=False) as archive:
        distances, labels = archive[STEP], archive["labels"]
    precision = evaluate_ranking(distances, labels).average_precision
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    similarity = 1 - distances[np.arange(len(nearest)), nearest]
    queries = from_best_to_worst(np.where(similarity > 0, precision, np.nan), QUERIES)
    if not len(queries):
        return
    store = LocalStore(params.data / system.input / "writers", ("test",))
    vlad = load(folder / "encoder")
    for query in queries:
        both = int(query), int(nearest[query])
        shares = pair_shares(vlad, *(store[page] for page in both), power=system.power)
        shares *= 100 / similarity[query]
        files = [store.pages[page].file for page in both]
        pages = [read_gray(params.data / "binarize" / file) for file in files]
        places, sizes = (
            [store.read(kind, page) for page in both] for kind in ("positions", "sizes")
        )
        ours, theirs = (place / max(page.shape) for place, page in zip(places, pages, strict=True))
        chosen = distinct_pairs(shares, ours, theirs, count=PAIRS, apart=APART)
        yield Match(
            files=(files[0], files[1]),
            pages=(pages[0], pages[1]),
            right=bool(labels[both[0]] == labels[both[1]]),
            precision=100 * float(precision[query]),
            similarity=float(similarity[query]),
            positive=float(shares[shares > 0].sum()),
            stroke=stroke_width(pages[0]),
            pairs=tuple(
                Pair(
                    np.stack([one[k] for one, k in zip(places, pair, strict=True)]),
                    np.array([one[k] for one, k in zip(sizes, pair, strict=True)]),
                    float(shares[pair]),
                )
                for pair in chosen
            ),
        )


def distinct_pairs(
    shares: Numbers, first: Numbers, second: Numbers, *, count: int, apart: float
) -> list[tuple[int, int]]:
    """The pairs of the largest positive shares (n, m), of each place on a page only the first.

    Args:
        shares: Of all pairs.
        first: Places (n, 2) on the one page.
        second: Places (m, 2) on the other.
        count: How many pairs, at most.
        apart: Least distance of the places of two pairs, on either page.
    """
    free = np.where(shares > 0, shares, 0)
    chosen: list[tuple[int, int]] = []
    while len(chosen) < count and free.any():
        i, j = (int(k) for k in np.unravel_index(free.argmax(), free.shape))
        chosen.append((i, j))
        free[np.linalg.norm(first - first[i], axis=1) < apart] = 0
        free[:, np.linalg.norm(second - second[j], axis=1) < apart] = 0
        free[i, j] = 0
    return chosen

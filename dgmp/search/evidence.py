"""Which places of two pages carry their similarity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dgmp.encoding import VLAD
from dgmp.encoding.local_descriptors import DescribedPage
from dgmp.encoding.pair_shares import row_parts
from dgmp.search.findings import Evidence, Floats
from dgmp.search.scoring import POWER

COVERED = 6.0
"""Side of the square that a SIFT descriptor covers, in sizes of its keypoint."""

APART = 0.5
"""Distance of two places on a page, in sides of the larger square, below which they are the same
place."""

ALIKE = 1.5
"""Most that the sides of the two places of a pair differ by, as a factor: pages are described at
one height of the writing, so that a letter has much the same size on both."""

SORTED_FIRST = 1000
"""Pairs that are sorted before the others: of 60,000 that fit some 30 are looked at."""

LETTERS = 48.0
"""Side of the largest square that is shown, in pixels at a pen of 3: two or three letters. Larger
ones hold the layout of lines and margins, which a person cannot judge as handwriting."""


@dataclass(frozen=True)
class Contributions:
    """What each local descriptor of a page adds to its row after the power norm.

    Attributes:
        centres: intp (V, n), nearest centre in each vocabulary.
        weights: float32 (V, n), its weight there, see `VLAD.weights`.
        parts: float32 (V, n, d), its part of the block of that centre; see
            `dgmp.encoding.pair_shares`, whose c these are.
        positions: float32 (n, 2), x and y in pixels.
        sides: float32 (n,), of the square that each covers, in pixels.
    """

    centres: NDArray[np.intp]
    weights: Floats
    parts: Floats
    positions: Floats
    sides: Floats


def contributions(vlad: VLAD, page: DescribedPage) -> Contributions:
    """Take apart the row of a page; it is worth keeping for all pairs of that page.

    Raises:
        ValueError, NotFittedError: as `VLAD.weights`.
    """
    found = row_parts(vlad, page.vectors, POWER)
    return Contributions(
        found.centres,
        found.weights,
        found.blocks.astype(np.float32),
        page.positions,
        np.float32(COVERED) * page.sizes,
    )


def evidence(page: Contributions, other: Contributions, k: int = 10) -> Evidence:
    """The k pairs of places with the largest shares in the cosine of two pages before whitening.

    Taken from the strongest down; a pair is left out if on either page its place is that of a pair
    taken before, see `APART`, if its sides differ, see `ALIKE`, or are larger than `LETTERS`. Pairs
    with no positive share are none. Before whitening, because after it the shares of single pairs
    cancel more (docs/systems.md).

    Args:
        page: Of `contributions`.
        other: Of the same encoder.
        k: At most so many; fewer where there are no more.
    """
    rows, columns, shares = _shares(page, other)
    ratios = page.sides[rows] / other.sides[columns]
    letters = np.maximum(page.sides[rows], other.sides[columns]) <= LETTERS
    alike = (ratios <= ALIKE) & (ratios >= 1 / ALIKE)
    fit = np.flatnonzero((shares > 0) & alike & letters)
    chosen: list[int] = []
    for candidate in _from_the_strongest(shares, fit):
        if len(chosen) == k:
            break
        new = not _near(page, rows[candidate], rows[chosen])
        if new and not _near(other, columns[candidate], columns[chosen]):
            chosen.append(candidate)
    ours, theirs = rows[chosen], columns[chosen]
    return Evidence(
        np.stack([page.positions[ours], other.positions[theirs]], axis=1),
        np.stack([page.sides[ours], other.sides[theirs]], axis=1),
        shares[chosen],
    )


def _shares(
    page: Contributions, other: Contributions
) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Descriptor of the one and of the other page, and share, of all pairs that share a centre."""
    n = len(other.positions)
    pairs, values = [np.empty(0, np.intp)], [np.empty(0, np.float32)]
    for vocabulary, centres in enumerate(page.centres):
        for centre in np.unique(centres):
            ours = np.flatnonzero(centres == centre)
            theirs = np.flatnonzero(other.centres[vocabulary] == centre)
            pairs.append((ours[:, None] * n + theirs).ravel())
            products = page.parts[vocabulary, ours] @ other.parts[vocabulary, theirs].T
            values.append(products.ravel())
    found, shares = np.concatenate(pairs), np.concatenate(values)
    if len(page.centres) > 1:  # a pair may share a centre in several vocabularies
        found, inverse = np.unique(found, return_inverse=True)
        shares = np.bincount(inverse, shares, len(found)).astype(np.float32)
    return (*np.divmod(found, n), shares) if n else (found, found, shares)


def _from_the_strongest(shares: Floats, fit: NDArray[np.intp]) -> Iterator[int]:
    """Those that fit by falling share; sorting all of them would take longer than all else."""
    rest = fit
    if len(fit) > SORTED_FIRST:
        strong = shares[fit] >= np.partition(shares[fit], -SORTED_FIRST)[-SORTED_FIRST]
        first, rest = fit[strong], fit[~strong]
        yield from first[np.argsort(-shares[first], kind="stable")].tolist()
    yield from rest[np.argsort(-shares[rest], kind="stable")].tolist()


def _near(page: Contributions, place: int, taken: NDArray[np.intp]) -> bool:
    distances = np.linalg.norm(page.positions[taken] - page.positions[place], axis=1)
    sides = np.maximum(page.sides[taken], page.sides[place])
    return bool((distances < APART * sides).any())

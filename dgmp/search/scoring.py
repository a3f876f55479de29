"""Scores between pages that mean the same in every collection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dgmp.encoding import PowerNorm, Whitening, without_information

Floats = NDArray[np.float32]

POWER = 0.5
"""Of the power norm of page vectors."""

SHRINKAGE = 0.1
"""Of the whitening, which keeps all directions. On 475 pages of the training manuscripts, whitened
on themselves, 0.1 ranks 96.8 % of the nearest pages right, 0.001 with 400 directions 65 %, and no
whitening 95.0 %."""

COMPONENTS = 1024
"""Most directions of the whitening; so many pages have them all."""

OWN_VOCABULARY = 30_000
"""Local descriptors of a collection, about 12 pages, from which on its own vocabulary is better
than one of synthetic scribes. Of the nearest pages the background vocabulary gets right, against an
own one: 100 and 91 % of 6 pages of training manuscripts, 99 and 99 of 12, 94.7 and 96.8 of 475.
A whitening of synthetic scribes gets 85 % of 475 right, so it is fitted on the collection."""

LOW = 0.16
"""Quantile of the scores between hands that lies one standard deviation below their median."""

LEAST_COHORT = 5
"""Pages of other codices below which the cohort of a page is all other pages."""

COHORT = 2000
"""Pages of a collection, evenly spaced, that serve as cohort of all of it."""


@dataclass(frozen=True)
class Scoring:
    r"""What is known of a collection after its pages were compared.

    The score of two pages is their cosine after whitening, less the mean of both pages' medians,
    in units of one spread, :math:`s_{ij} = (c_{ij} - (m_i + m_j) / 2) / \sigma`. The median
    :math:`m_i` is that of page i with its cohort, the pages of other codices. The spread is the
    distance from the median of all these differences down to their quantile `LOW`. Symmetric
    normalization by a cohort is usual in speaker verification (Kenny, Bayesian Speaker Verification
    with Heavy-Tailed Priors, Odyssey 2010). Medians and the lower side take the place of means and
    deviations, because the cohort holds pages of the same hand too: they are on the upper side.

    Attributes:
        whitening: Fitted on the collection.
        rows: float32 (n, d), its pages, whitened and of unit length.
        medians: float32 (n,).
        spread: Of the collection.
        cohort: Rows of the pages that queries are compared with for their median.
    """

    whitening: Whitening
    rows: Floats
    medians: Floats
    spread: float
    cohort: NDArray[np.intp]

    @classmethod
    def fit(cls, vectors: ArrayLike, codices: ArrayLike | None = None) -> Self:
        """Whiten a collection on itself, and learn how pages of different codices compare.

        Args:
            vectors: (n, D), of `dgmp.encoding.VLAD`, before the power norm; none without
                information.
            codices: (n,), of each page; None: each page is a codex of its own.

        Raises:
            ValueError: fewer than 3 pages, pages without information, equal pages only, codices of
                another length.
        """
        pages = PowerNorm(POWER).fit_transform(vectors)
        if len(pages) < 3 or without_information(pages).any():
            raise ValueError(
                f"scores need at least 3 pages, all with enough writing, got {len(pages)}, of "
                f"which {np.count_nonzero(without_information(pages))} without: give more pages, "
                "and leave those out"
            )
        whitening = Whitening(COMPONENTS, SHRINKAGE).fit(pages)
        rows = whitening.transform(pages).astype(np.float32)
        cohort = np.unique(np.linspace(0, len(rows) - 1, COHORT).round().astype(np.intp))
        cosines = rows @ rows[cohort].T
        numbers = codex_numbers(codices, len(rows))
        strangers = numbers[:, None] != numbers[cohort]
        others = np.arange(len(rows))[:, None] != cohort
        enough = np.count_nonzero(strangers, axis=1) >= LEAST_COHORT
        cosines[~np.where(enough[:, None], strangers, others)] = np.nan
        medians = np.nanmedian(cosines, axis=1).astype(np.float32)
        cosines -= (medians[:, None] + medians[cohort]) / 2
        low, middle = np.nanquantile(cosines, (LOW, 0.5))
        return cls(whitening, rows, medians, float(middle - low) or 1.0, cohort)

    def scores(self) -> Floats:
        """Scores float32 (n, n) between all pages, symmetric, nan on the diagonal."""
        found = self.between(slice(None))
        found = (found + found.T) / np.float32(2)  # equal to the last bit
        np.fill_diagonal(found, np.nan)
        return found

    def between(self, block: slice) -> Floats:
        """Scores float32 (b, n) of some pages with all, those of a page with itself too."""
        return self._normalized(self.rows[block], self.medians[block])

    def query(self, vectors: ArrayLike) -> Floats:
        """Scores float32 (m, n) of further pages (m, D) with the pages of the collection.

        A page of the collection gets its scores with all others again. Pages without information
        get nan.

        Raises:
            ValueError: vectors of another width, or not finite.
        """
        rows, medians = self._whitened(vectors)
        found = self._normalized(rows, medians)
        found[without_information(rows)] = np.nan
        return found

    def extended(self, vectors: ArrayLike) -> Self:
        """The collection with further pages (m, D) at its end, compared by what is known of it.

        Raises:
            ValueError: vectors of another width, not finite, or without information.
        """
        rows, medians = self._whitened(vectors)
        if without_information(rows).any():
            raise ValueError("a page with too little writing cannot be added: leave it out")
        return replace(
            self,
            rows=np.concatenate([self.rows, rows]),
            medians=np.concatenate([self.medians, medians]),
        )

    def _whitened(self, vectors: ArrayLike) -> tuple[Floats, Floats]:
        """Rows and medians of further pages."""
        pages = PowerNorm(POWER).transform(vectors)
        rows = self.whitening.transform(pages).astype(np.float32)
        return rows, np.median(rows @ self.rows[self.cohort].T, axis=1).astype(np.float32)

    def _normalized(self, rows: Floats, medians: Floats) -> Floats:
        found = rows @ self.rows.T
        found -= (medians[:, None] + self.medians) / 2
        found /= np.float32(self.spread)
        return found


def codex_numbers(codices: ArrayLike | None, pages: int) -> NDArray[np.intp]:
    """A number for each page, equal for pages of one codex; None: each is a codex of its own.

    Raises:
        ValueError: another number of codices.
    """
    if codices is None:
        return np.arange(pages)
    names = np.asarray(codices)
    if names.shape != (pages,):
        raise ValueError(f"codices must be ({pages},), one for each page, got {names.shape}")
    return np.unique(names, return_inverse=True)[1].astype(np.intp)

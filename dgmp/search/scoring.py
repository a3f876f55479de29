"""Scores between pages that mean the same in every collection."""

from __future__ import annotations

from dataclasses import dataclass
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
than that of synthetic scribes. Own and theirs rank 91 and 100 % of the nearest of 6 training pages
right, 99 and 100 of 12, 96.0 and 95.5 of 20, 96.8 and 94.3 of 475; of 12 pages 56 and 29 % are
right and graded "same hand likely"."""

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
        r"""Scores float32 (m, n) of further pages (m, D), each as if it were in the collection.

        Pages that the whitening is fitted on are driven apart by it, others are not: their plain
        cosines are larger. With X the centred pages, C their covariance and :math:`\epsilon` what
        is added to its eigenvalues, whitened products of the collection are
        :math:`X (C + \epsilon)^{-1} X^T = (n - 1) (1 - \epsilon M^{-1})` with
        :math:`M = X X^T / (n - 1) + \epsilon`. With one more row q, by the inverse of a bordered
        matrix, its products with the others are :math:`\epsilon / S` times those without, and its
        squared length is :math:`(n - 1) (1 - \epsilon / S)`, where
        :math:`S = \epsilon + q (1 - C (C + \epsilon)^{-1}) q^T / (n - 1)`. That mean, largest
        eigenvalue and the other pages' lengths change a little is left out.

        Pages without information get nan.

        Raises:
            ValueError: vectors of another width, or not finite.
        """
        pages = PowerNorm(POWER).transform(vectors)
        self.whitening.transform(pages[:1])  # refuses another width
        variances = self.whitening.explained_variance_
        added = SHRINKAGE * variances[0]
        centred = pages - self.whitening.mean_
        white = centred @ self.whitening.components_.T / np.sqrt(variances + added)
        others = len(self.rows) - 1
        left = np.square(centred).sum(axis=1) - np.square(white) @ variances
        ratio = added / (added + left / others)
        factor = ratio / np.sqrt(others * (1 - ratio))
        rows = (white * factor[:, None]).astype(np.float32)
        medians = np.median(rows @ self.rows[self.cohort].T, axis=1).astype(np.float32)
        found = self._normalized(rows, medians)
        found[without_information(pages)] = np.nan
        return found

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

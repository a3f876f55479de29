"""VLAD: the residuals of local descriptors to their nearest centres, pooled for each centre."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, get_args

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from dgmp.encoding.residual_pooling import (
    Pooling,
    Residuals,
    assign,
    pool_residuals,
    residuals_of,
)

# Local descriptors in a step of k-means.
KMEANS_BATCH = 10_000

# Pages of which the centres are pooled together. `gmp` of 100 centres and 2,000 descriptors of 128
# entries takes 7.5 ms a page one by one, 4.6 five at once, 3.8 ten and 3.4 twenty (one thread).
PAGES_AT_ONCE = 20


@dataclass(frozen=True)
class WeightedResiduals:
    """What each local descriptor of a page adds to its row: weight times residual.

    Attributes:
        centres: intp (V, n), the nearest centre of each descriptor in each of V vocabularies.
        weights: float32 (V, n).
        residuals: float32 (V, n, dimensions).
    """

    centres: np.ndarray
    weights: np.ndarray
    residuals: np.ndarray


class VLAD(TransformerMixin, BaseEstimator):
    """Encodes the local descriptors of a page, (n_i, d), as one row.

    VLAD (Jégou et al. 2010) with hard assignment, and with generalized max pooling or democratic
    weights in place of the sum. `fit` draws a sample of local descriptors, equally many of each
    page as far as it has them, finds their principal components, and clusters them. Another order
    of the pages draws another sample. `transform` gives each page a row that depends on that page
    alone, up to rounding, without power norm or l2 norm; `PowerNorm` follows.

    A page of fewer than `least` local descriptors gives a row of zeros: it holds too little to be
    compared with others.

    Args:
        centres: K, of a vocabulary.
        dimensions: To which local descriptors are reduced by PCA, without whitening; None for none.
        pooling: Of the residuals of a centre: "sum", "gmp" or "democratic".
        lambda_: Ridge parameter of "gmp".
        relative: Whether lambda_ is a multiple of the mean squared length of the residuals pooled.
        residuals: "raw", or "unit" for residuals of length 1.
        vocabularies: V, of which the rows are concatenated (multi-VLAD); they differ in the seed of
            k-means.
        sample: Local descriptors for `fit`, at most.
        least: Local descriptors of a page, see above.
        seed: Of sample and vocabularies.

    Attributes:
        mean_: float32 (d,), subtracted before the projection.
        projection_: float32 (d, dimensions).
        vocabularies_: float32 (V, K, dimensions).
    """

    def __init__(
        self,
        centres: int = 100,
        dimensions: int | None = None,
        pooling: Pooling = "sum",
        lambda_: float = 1.0,
        relative: bool = False,
        residuals: Residuals = "raw",
        vocabularies: int = 1,
        sample: int = 150_000,
        least: int = 64,
        seed: int = 0,
    ) -> None:
        self.centres = centres
        self.dimensions = dimensions
        self.pooling = pooling
        self.lambda_ = lambda_
        self.relative = relative
        self.residuals = residuals
        self.vocabularies = vocabularies
        self.sample = sample
        self.least = least
        self.seed = seed

    def fit(self, pages: Sequence[np.ndarray], y: Any = None) -> Self:
        """Learn the projection and the vocabularies from the local descriptors of pages.

        Raises:
            ValueError: A parameter is out of its range; pages are not (n_i, d) of one d, or hold
                what is not finite; their sample is smaller than a vocabulary or than `dimensions`.
        """
        from sklearn.cluster import MiniBatchKMeans  # here, as a query fits nothing
        from sklearn.decomposition import PCA

        self._check_parameters()
        checked = _checked(pages)
        rng = np.random.default_rng(self.seed)
        sample = draw(checked, self.sample, rng)
        width = sample.shape[1]
        if len(sample) < self.centres:
            raise ValueError(
                f"a vocabulary of {self.centres} centres needs as many local descriptors, got a "
                f"sample of {len(sample)} from {len(checked)} pages: lower centres, or give more "
                "pages"
            )
        if self.dimensions is None:
            self.mean_ = np.zeros(width, np.float32)
            self.projection_ = np.eye(width, dtype=np.float32)
        else:
            if self.dimensions > min(sample.shape):
                raise ValueError(
                    f"dimensions must be at most {min(sample.shape)} for a sample of {len(sample)} "
                    f"local descriptors of {width} entries, got {self.dimensions}"
                )
            pca = PCA(self.dimensions, svd_solver="covariance_eigh").fit(sample)
            self.mean_ = pca.mean_.astype(np.float32)
            self.projection_ = np.ascontiguousarray(pca.components_.T, np.float32)
        sample = self._project(sample)
        self.vocabularies_ = np.stack(
            [
                MiniBatchKMeans(
                    self.centres,
                    batch_size=KMEANS_BATCH,
                    n_init=1,
                    random_state=int(rng.integers(2**31)),
                )
                .fit(sample)
                .cluster_centers_.astype(np.float32)
                for _ in range(self.vocabularies)
            ]
        )
        return self

    def transform(self, pages: Sequence[np.ndarray]) -> np.ndarray:
        """Encode pages (n_i, d) as rows float32 (pages, V K dimensions).

        Raises:
            ValueError: As for `fit`; d is not that of `fit`.
            NotFittedError: `fit` was not called.
        """
        check_is_fitted(self)
        self._check_parameters()
        checked = _checked(pages, len(self.mean_))
        rows = np.zeros((len(pages), *self.vocabularies_.shape), np.float32)
        enough = [i for i, vectors in enumerate(checked) if len(vectors) >= self.least]
        for start in range(0, len(enough), PAGES_AT_ONCE):
            block = enough[start : start + PAGES_AT_ONCE]
            vectors = self._project(np.concatenate([checked[i] for i in block]))
            page = np.repeat(np.arange(len(block)), [len(checked[i]) for i in block])
            for v, vocabulary in enumerate(self.vocabularies_):
                rows[block, v] = self._encode(
                    vectors, vocabulary, page, len(block), one_page=len(pages) == 1
                )[0]
        return rows.reshape(len(pages), -1)

    def weights(self, page: np.ndarray) -> WeightedResiduals:
        """What each local descriptor of a page (n, d) adds to its row.

        The part of the row that belongs to centre k of vocabulary v is the sum of
        `weights[v, i] * residuals[v, i]` over all i with `centres[v, i] == k`. All weights of a
        page of fewer than `least` local descriptors are 0.

        Raises:
            ValueError, NotFittedError: As for `transform`.
        """
        check_is_fitted(self)
        self._check_parameters()
        vectors = self._project(_checked([page], len(self.mean_))[0])
        alone = np.zeros(len(vectors), np.intp)
        parts = [
            self._encode(vectors, vocabulary, alone, 1, one_page=True)[1:]
            for vocabulary in self.vocabularies_
        ]
        nearest, weights, residuals = (np.stack(part) for part in zip(*parts, strict=True))
        if len(vectors) < self.least:
            weights = np.zeros_like(weights)
        return WeightedResiduals(nearest, weights, residuals)

    def __sklearn_is_fitted__(self) -> bool:
        # Left to itself scikit-learn would take the parameter lambda_ for a fitted attribute.
        return hasattr(self, "vocabularies_")

    def _project(self, vectors: np.ndarray) -> np.ndarray:
        if self.dimensions is None:
            return vectors
        projected: np.ndarray = (vectors - self.mean_) @ self.projection_
        return projected

    def _encode(
        self,
        vectors: np.ndarray,
        vocabulary: np.ndarray,
        page: np.ndarray,
        pages: int,
        *,
        one_page: bool,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rows (pages, K, d), and nearest centre, weight and residual of each descriptor."""
        nearest = assign(vectors, vocabulary)
        residuals = residuals_of(vectors, vocabulary, nearest, self.residuals)
        pooled, weights = pool_residuals(
            residuals,
            nearest + len(vocabulary) * page,
            len(vocabulary) * pages,
            pooling=self.pooling,
            lambda_=self.lambda_,
            relative=self.relative,
            one_page=one_page,
        )
        return pooled.reshape(pages, *vocabulary.shape), nearest, weights, residuals

    def _check_parameters(self) -> None:
        for name, known in (("pooling", Pooling), ("residuals", Residuals)):
            if getattr(self, name) not in get_args(known):
                raise ValueError(
                    f"unknown {name} {getattr(self, name)!r}; known: {', '.join(get_args(known))}"
                )
        if not 0 < self.lambda_ < math.inf:
            raise ValueError(f"lambda_ must be positive and finite, got {self.lambda_}")
        for name in ("centres", "vocabularies", "sample", "least"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.dimensions is not None and self.dimensions < 1:
            raise ValueError(f"dimensions must be None or at least 1, got {self.dimensions}")


def draw(pages: Sequence[np.ndarray], most: int, rng: np.random.Generator) -> np.ndarray:
    """Draw at most so many descriptors (n, d), equally many of each page as far as it has them.

    >>> pages = [np.zeros((1, 2)), np.ones((9, 2))]
    >>> draw(pages, 4, np.random.default_rng(0)).sum(axis=1)
    array([0., 2., 2., 2.])
    """
    counts = np.array([len(page) for page in pages])
    share = most // len(pages)
    while counts.clip(max=share + 1).sum() <= most and share < counts.max():
        share += 1
    return np.concatenate(
        [
            page if len(page) <= share else page[rng.choice(len(page), share, replace=False)]
            for page in pages
        ]
    )


def _checked(pages: Sequence[np.ndarray], width: int | None = None) -> list[np.ndarray]:
    """The pages as float32 (n_i, d)."""
    checked = []
    for number, page in enumerate(pages):
        vectors = np.asarray(page)
        if vectors.ndim != 2 or vectors.dtype.kind not in "biuf":
            raise ValueError(
                f"page {number} must hold local descriptors (n, d), got {vectors.dtype} of shape "
                f"{vectors.shape}; pages are a list with one array each"
            )
        width = vectors.shape[1] if width is None else width
        if vectors.shape[1] != width:
            raise ValueError(
                f"local descriptors of page {number} have {vectors.shape[1]} entries, not {width}"
            )
        with np.errstate(over="ignore"):
            vectors = vectors.astype(np.float32, copy=False)
        if not np.isfinite(vectors).all():
            raise ValueError(f"local descriptors of page {number} are not all finite in float32")
        checked.append(vectors)
    if not checked:
        raise ValueError("there are no pages")
    return checked

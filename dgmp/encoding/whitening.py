"""PCA whitening of page descriptors, for more dimensions than pages."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from dgmp.encoding.page_descriptors import (
    Descriptors,
    l2_normalize,
    validated,
    without_information,
)
from dgmp.metrics.distances import Floats


class Whitening(TransformerMixin, BaseEstimator):
    r"""Project on the principal directions, divide by their spread, then by the page's length.

    Each direction is divided by :math:`\sqrt{e_i + s e_1}`, where :math:`e_i` is its eigenvalue of
    the covariance, :math:`e_1` the largest, and s the shrinkage: without it, few pages make the
    last directions mostly noise. Source: Jégou, Chum, Negative Evidences and Co-occurrences in
    Image Retrieval: the Benefit of PCA and Whitening, ECCV 2012; the shrinkage is common practice.

    The directions lie in the span of the training pages. With n of them (pages without information
    left out) there are at most n - 1, and fewer if pages are linearly dependent: asking for more
    components is no error, `len(components_)` says how many there are. Pages without information
    stay zero; a page equal to the mean becomes one.

    Args:
        components: How many directions to keep, those of the largest eigenvalues; None keeps all.
        shrinkage: Added to each eigenvalue, as a fraction of the largest; at least 0.

    Attributes:
        mean_: (D,), of the training pages.
        components_: (directions, D), of unit length, by falling eigenvalue.
        explained_variance_: (directions,), the eigenvalues of the covariance.

    >>> pages = np.random.default_rng(0).normal(size=(5, 100))
    >>> Whitening(components=50).fit(pages).components_.shape
    (4, 100)
    """

    def __init__(self, components: int | None = None, shrinkage: float = 1e-3) -> None:
        self.components = components
        self.shrinkage = shrinkage

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Find the directions of training pages (n, D).

        Raises:
            ValueError: on settings out of range, on fewer than two pages with information, on pages
                that are all equal, on `X` of another shape or not finite.
        """
        self._check_settings()
        descriptors = validated(self, X, reset=True)
        pages = descriptors[~without_information(descriptors)]
        if len(pages) < 2:
            raise ValueError(
                f"whitening needs at least 2 pages with information, got {len(pages)} "
                f"(n_samples = {len(descriptors)}): give more training pages, or leave "
                "whitening out"
            )
        # In double precision: eigenvalues are squares, of which single precision keeps half.
        centred = pages.astype(np.float64)
        mean = centred.mean(axis=0)
        centred -= mean
        variances, directions = _principal_directions(centred, self.components)
        if not len(variances):
            raise ValueError(
                f"whitening needs training pages that differ, got {len(pages)} equal ones: give "
                "pages of several hands"
            )
        self.mean_ = mean.astype(descriptors.dtype)
        self.components_ = np.ascontiguousarray(directions, dtype=descriptors.dtype)
        self.explained_variance_ = variances.astype(descriptors.dtype)
        return self

    def transform(self, X: ArrayLike) -> Descriptors:
        """Whiten page descriptors, (pages, D) to (pages, directions) of the same precision.

        Raises:
            ValueError: on `X` of another width than in `fit`, or not finite.
            NotFittedError: before `fit`.
        """
        check_is_fitted(self)
        descriptors = validated(self, X)
        blank = without_information(descriptors)
        whitened = (descriptors - self.mean_) @ self.components_.T
        spread = self.explained_variance_ + self.shrinkage * self.explained_variance_[0]
        whitened /= np.sqrt(spread)
        whitened[blank] = 0
        return l2_normalize(whitened)

    def _check_settings(self) -> None:
        whole = isinstance(self.components, Integral) and self.components >= 1
        if not whole and self.components is not None:
            raise ValueError(
                f"components must be a whole number from 1, or None for all, got "
                f"{self.components!r}"
            )
        if not 0 <= self.shrinkage < np.inf:
            raise ValueError(
                f"shrinkage must be a fraction of the largest eigenvalue, at least 0, got "
                f"{self.shrinkage!r}"
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _principal_directions(centred: Floats, components: int | None) -> tuple[Floats, Floats]:
    """Eigenvalues (k,), falling, and unit eigenvectors (k, D) of the covariance of (n, D)."""
    n, width = centred.shape
    in_span = n <= width
    gram = centred @ centred.T if in_span else centred.T @ centred
    largest = len(gram)
    kept = min(components or largest, n - 1, width)
    values, vectors = eigh(
        gram, subset_by_index=(largest - kept, largest - 1), overwrite_a=True, check_finite=False
    )
    values, vectors = values[::-1], vectors[:, ::-1]
    # What remains of a direction that is none, by rounding in the products.
    real = values > values[0] * max(n, width) * np.finfo(np.float64).eps
    values, vectors = values[real], vectors[:, real]
    if not in_span:
        return values / (n - 1), vectors.T
    return values / (n - 1), (vectors / np.sqrt(values)).T @ centred

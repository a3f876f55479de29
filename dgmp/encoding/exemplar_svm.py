"""Exemplar SVMs as an encoding of page descriptors, solved in the span of the pages."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from dgmp.encoding.exemplar_shares import exemplar_shares
from dgmp.encoding.page_descriptors import (
    Descriptors,
    l2_normalize,
    validated,
    without_information,
)

# Exemplars that are encoded together: bounds the memory for their copies in double precision.
_BLOCK = 256


class ExemplarSVM(TransformerMixin, BaseEstimator):
    r"""Replace each page by the direction that separates it from all training pages.

    For each page a linear SVM is trained with that page as the only positive, and the training
    pages as negatives; its weight vector w, divided by its length, is the new descriptor. Source:
    Malisiewicz, Gupta, Efros, Ensemble of Exemplar-SVMs for Object Detection and Beyond, ICCV 2011;
    as an encoding: Christlein, Gropp, Fiel, Maier, Unsupervised Feature Learning for Writer
    Identification and Writer Retrieval, ICDAR 2017.

    The SVM is that of `sklearn.svm.LinearSVC(C=C, class_weight="balanced")`: squared hinge loss,
    and a bias that counts as one more weight on a constant feature 1 (it is regularized too),

    :math:`\min_{w, b}\ \tfrac12 (\|w\|^2 + b^2) + \sum_i C_i \max(0, 1 - y_i (w^T x_i + b))^2`

    with :math:`C_i = C n / (2 n_{y_i})`, n the number of pages of both classes. The bias is not
    part of the descriptor. The problem is solved exactly, by Newton's method on Gram matrices.

    Pages without information are no negatives, and stay zero.

    Args:
        C: Weight of the loss, positive.

    Attributes:
        negatives_: (n, D), the training pages with information.
        groups_: (n,), their groups, or None.

    >>> svm = ExemplarSVM().fit([[1.0, 0.0], [0.8, 0.6]])
    >>> svm.transform([[0.0, 1.0], [0.0, 0.0]]).round(2).tolist()
    [[-0.89, 0.46], [0.0, 0.0]]
    """

    def __init__(self, C: float = 10.0) -> None:
        self.C = C

    def fit(self, X: ArrayLike, y: object = None, groups: ArrayLike | None = None) -> Self:
        """Keep the training pages as negatives.

        Args:
            X: (n, D).
            y: Not used, as scikit-learn has it.
            groups: (n,), the writers, to leave out an exemplar's own in `transform`.

        Raises:
            ValueError: on a C that is not positive, on no page with information, on groups of
                another length, on `X` of another shape or not finite.
        """
        if not 0 < self.C < np.inf:
            raise ValueError(f"C must be a positive number, got {self.C!r}")
        descriptors = validated(self, X, reset=True)
        informative = ~without_information(descriptors)
        if not informative.any():
            raise ValueError(
                f"an exemplar SVM needs negatives, got {len(descriptors)} training pages, all "
                "without information: fit on pages with writing"
            )
        self.negatives_ = np.ascontiguousarray(descriptors[informative])
        self.groups_ = None if groups is None else _checked(groups, len(descriptors))[informative]
        return self

    def transform(self, X: ArrayLike, groups: ArrayLike | None = None) -> Descriptors:
        """Encode pages, (pages, D) to (pages, D) of the same precision.

        Args:
            X: (pages, D).
            groups: (pages,), the writers: training pages of the same one are no negatives. Needed
                for training pages, which would be negatives of themselves. None: all are.

        Raises:
            ValueError: on groups where `fit` had none or of another length, on a page whose group
                leaves no negative, on `X` of another width or not finite.
            NotFittedError: before `fit`.
        """
        check_is_fitted(self)
        descriptors = validated(self, X)
        if groups is None:
            every = np.ones((len(descriptors), len(self.negatives_)), dtype=np.bool_)
            return self._encode(descriptors, every)
        own = _checked(groups, len(descriptors))
        if self.groups_ is None:
            raise ValueError(
                "groups were given for the pages, but not for the training pages: give both, "
                "fit(X, groups=...) and transform(X, groups=...)"
            )
        if (own.dtype.kind in "biuf") != (self.groups_.dtype.kind in "biuf"):
            raise ValueError(
                f"groups must be of one kind, numbers or text, got {own.dtype} for the pages and "
                f"{self.groups_.dtype} for the training pages"
            )
        return self._encode(descriptors, own[:, None] != self.groups_)

    def fit_transform(
        self, X: ArrayLike, y: object = None, groups: ArrayLike | None = None
    ) -> Descriptors:
        """Keep training pages as negatives, and encode them.

        Unlike with `fit` and `transform`, a page is never its own negative, also without groups.

        Args:
            X: (n, D).
            y: Not used.
            groups: (n,), the writers, of which a page's own is left out of its negatives.

        Raises:
            ValueError: as `fit` and `transform`.
        """
        self.fit(X, groups=groups)
        if groups is not None:
            return self.transform(X, groups=groups)
        descriptors = validated(self, X)
        informative = np.flatnonzero(~without_information(descriptors))
        return self._encode(descriptors, np.arange(len(descriptors))[:, None] != informative)

    def _encode(self, descriptors: Descriptors, against: NDArray[np.bool_]) -> Descriptors:
        """Encode pages (pages, D) with the negatives that `against` (pages, n) has."""
        informative = ~without_information(descriptors)
        alone = informative & ~against.any(axis=1)
        if alone.any():
            raise ValueError(
                f"page {np.flatnonzero(alone)[0]} has no negatives: all training pages are of its "
                "own group; fit on pages of at least two groups"
            )
        negatives = self.negatives_.astype(np.float64)
        gram = negatives @ negatives.T
        weights = np.zeros(descriptors.shape, dtype=descriptors.dtype)
        encoded = np.flatnonzero(informative)
        for start in range(0, len(encoded), _BLOCK):
            block = encoded[start : start + _BLOCK]
            pages = descriptors[block].astype(np.float64)
            squares = np.einsum("nd,nd->n", pages, pages)
            shares = exemplar_shares(squares, pages @ negatives.T, gram, against[block], self.C)
            weights[block] = l2_normalize(shares[:, :1] * pages + shares[:, 1:] @ negatives)
        return weights

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _checked(groups: ArrayLike, pages: int) -> NDArray[np.generic]:
    names = np.asarray(groups)
    if names.shape != (pages,):
        raise ValueError(
            f"groups must be ({pages},), the writer of each page, got shape {names.shape}"
        )
    return names

"""Power normalization of page descriptors."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin

from dgmp.encoding.page_descriptors import Descriptors, l2_normalize, validated


class PowerNorm(TransformerMixin, BaseEstimator):
    """Replace each value x by sign(x) |x|^power, then divide each page by its length.

    It dampens values that a few repeated descriptors make large. Source: Perronnin, Sánchez,
    Mensink, Improving the Fisher Kernel for Large-Scale Image Classification, ECCV 2010. Nothing is
    learned: `transform` works without `fit`. A page without information stays zero.

    Args:
        power: Above 0; 1 only divides by the length.

    >>> PowerNorm().transform([[9.0, -16.0], [0.0, 0.0]])
    array([[ 0.6, -0.8],
           [ 0. ,  0. ]])
    """

    def __init__(self, power: float = 0.5) -> None:
        self.power = power

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Check `X`, (pages, D), and the power.

        Raises:
            ValueError: on a power that is not positive, on `X` of another shape or not finite.
        """
        self._check_power()
        validated(self, X, reset=True)
        return self

    def transform(self, X: ArrayLike) -> Descriptors:
        """Normalize page descriptors, (pages, D) to (pages, D) of the same precision.

        Raises:
            ValueError: as `fit`.
        """
        self._check_power()
        descriptors = validated(self, X)
        values = np.abs(descriptors)
        values **= self.power
        return l2_normalize(np.copysign(values, descriptors, out=values))

    def _check_power(self) -> None:
        if not 0 < self.power < np.inf:
            raise ValueError(f"power must be a positive number, usually 0.5, got {self.power!r}")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

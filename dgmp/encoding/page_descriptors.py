"""Page descriptors, (pages, D): pages without information, unit length, cosine distances.

A page without information (blank, or too few letters for a descriptor) is a row of zeros. Every
step keeps it so: it takes part in no fit, is no page's neighbour, and is ranked last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from dgmp.metrics.distances import Floats, as_points, distance_rows

Descriptors = NDArray[np.floating]
Distances = NDArray[np.float32]
Precision = TypeVar("Precision", bound=np.floating)

# Of a page without information to every other page: the cosine distance of opposite descriptors.
LARGEST_DISTANCE = 2.0


def validated(estimator: BaseEstimator, X: ArrayLike, *, reset: bool = False) -> Descriptors:
    """Page descriptors (pages, D) in single or double precision, as scikit-learn checks them.

    Args:
        estimator: Whose width D they must have, or get with `reset`.
        X: (pages, D).
        reset: True in `fit`.

    Raises:
        ValueError: on another shape or width, or on values that are not finite.
    """
    checked: Descriptors = validate_data(estimator, X, dtype=[np.float64, np.float32], reset=reset)
    return checked


def without_information(descriptors: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Tell which pages have no information, as (pages,).

    >>> without_information(np.array([[0.0, 0.0], [3.0, 4.0]]))
    array([ True, False])
    """
    return np.logical_not(descriptors.any(axis=1))


def l2_normalize(descriptors: NDArray[Precision]) -> NDArray[Precision]:
    """Divide each row by its length; a row of zeros stays one.

    >>> l2_normalize(np.array([[0.0, 0.0], [3.0, 4.0]]))
    array([[0. , 0. ],
           [0.6, 0.8]])
    """
    peaks = np.maximum(descriptors.max(axis=1), -descriptors.min(axis=1))
    # The squares of scaled rows neither overflow nor vanish.
    scaled = descriptors / np.where(peaks > 0, peaks, 1)[:, None]
    lengths = np.sqrt(np.einsum("nd,nd->n", scaled, scaled))
    scaled /= np.where(lengths > 0, lengths, 1)[:, None]
    return cast(NDArray[Precision], scaled)


def cosine_distances(descriptors: ArrayLike) -> Distances:
    """One minus the cosine between all pages, for `dgmp.metrics.evaluate_ranking`.

    Args:
        descriptors: (n, D), of any length; a row of zeros is a page without information.

    Returns:
        (n, n), zero on the diagonal. A page without information is `LARGEST_DISTANCE` from all
        others.

    Raises:
        ValueError: on descriptors that are not (pages, D) or not finite.

    >>> cosine_distances([[1.0, 0.0], [0.0, 5.0], [0.0, 0.0]]).tolist()
    [[0.0, 1.0, 2.0], [1.0, 0.0, 2.0], [2.0, 2.0, 0.0]]
    """
    return among_informative(descriptors, cosines_of_units)


def among_informative(
    descriptors: ArrayLike, distances: Callable[[Floats], Distances]
) -> Distances:
    """Apply `distances` to the pages with information, as unit vectors; the others are far away.

    Args:
        descriptors: (n, D).
        distances: From (m, D) of unit length to (m, m).

    Returns:
        (n, n), zero on the diagonal.

    Raises:
        ValueError: as `cosine_distances`, and what `distances` raises.
    """
    points = l2_normalize(as_points(descriptors, "sqeuclidean"))
    blank = without_information(points)
    matrix = np.full((len(points), len(points)), LARGEST_DISTANCE, dtype=np.float32)
    if not blank.any():
        matrix[:] = distances(points)
    elif not blank.all():
        informative = np.flatnonzero(~blank)
        matrix[np.ix_(informative, informative)] = distances(points[informative])
    np.fill_diagonal(matrix, 0)
    return matrix


def cosines_of_units(points: Floats) -> Distances:
    """One minus the cosine between all pages, (n, n), of unit vectors (n, D)."""
    matrix = np.empty((len(points), len(points)), dtype=np.float32)
    rows = distance_rows(points, np.arange(len(points)), "cosine")
    for page, row in enumerate(rows):
        np.maximum(row, 0, out=matrix[page], casting="same_kind")  # rounding can be below
    return matrix

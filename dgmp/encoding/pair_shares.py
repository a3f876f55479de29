"""Which pairs of local descriptors carry the similarity of two pages."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from dgmp.encoding.vlad import VLAD
from dgmp.encoding.whitening import Whitening

Floats = NDArray[np.float64]


class RowParts(NamedTuple):
    """What each descriptor adds to a page's row, and where.

    Attributes:
        centres: intp (V, n), in whose blocks.
        weights: float32 (V, n), see `VLAD.weights`.
        blocks: float64 (V, n, d), what it adds there.
    """

    centres: NDArray[np.intp]
    weights: np.ndarray
    blocks: Floats


def pair_shares(
    vlad: VLAD,
    page: np.ndarray,
    other: np.ndarray,
    *,
    power: float = 0.5,
    whitening: Whitening | None = None,
) -> Floats:
    r"""Share of each pair of local descriptors in the cosine of two pages; the shares sum to it.

    The row of a page is a sum over its n local descriptors, :math:`v = \sum_i w_i r_i`, see
    `VLAD.weights`. `PowerNorm` makes of it :math:`p = f \circ v / L` with
    :math:`f = |v|^{power - 1}` and L the length of :math:`f \circ v`. With f and L kept as
    constants of the page, descriptor i adds :math:`c_i = f \circ w_i r_i / L` to p; by Euler's
    theorem on homogeneous functions that is gradient times input, divided by the degree `power`.
    Whitening by the matrix A and the mean m gives :math:`y = A (p - m)`, of which descriptor i adds
    :math:`u_i = A (c_i - m / n) / \|y\|`. The share of a pair is :math:`c_i \cdot c'_j`, and
    :math:`u_i \cdot u'_j` with `whitening`. It is negative where a pair makes the pages differ.

    Args:
        vlad: Fitted.
        page: Local descriptors (n, d).
        other: Those of the other page, (m, d).
        power: Of the `PowerNorm` that follows the encoder.
        whitening: Fitted on rows after that `PowerNorm`; None for the cosine before whitening.

    Returns:
        float64 (n, m); all 0 if a page has fewer than `vlad.least` local descriptors.

    Raises:
        ValueError: pages are not (n, d) as in `VLAD.fit`, the power is not positive, the whitening
            is of rows of another width.
        NotFittedError: an estimator is not fitted.

    >>> pages = [np.random.default_rng(seed).normal(size=(90, 8)) for seed in range(2)]
    >>> shares = pair_shares(VLAD(centres=3).fit(pages), *pages)
    >>> shares.shape
    (90, 90)
    """
    if not 0 < power < np.inf:
        raise ValueError(f"power must be a positive number, usually 0.5, got {power!r}")
    first, second = (row_parts(vlad, one, power) for one in (page, other))
    if whitening is not None:
        ours, theirs = (_whitened(parts, vlad, whitening) for parts in (first, second))
        products: Floats = ours @ theirs.T
        return products
    shares = np.zeros((len(page), len(other)))
    for centre, block, centre_of_other, block_of_other in zip(
        first.centres, first.blocks, second.centres, second.blocks, strict=True
    ):
        # Residuals of different centres lie in different blocks of the row.
        shares += (block @ block_of_other.T) * (centre[:, None] == centre_of_other)
    return shares


def row_parts(vlad: VLAD, page: np.ndarray, power: float) -> RowParts:
    """The c of each descriptor of a page (n, d), see `pair_shares`.

    Raises:
        ValueError, NotFittedError: as `VLAD.weights`.
    """
    found = vlad.weights(page)
    blocks = found.weights[..., None] * found.residuals.astype(np.float64)
    row = np.zeros(vlad.vocabularies_.shape)
    vocabulary = np.arange(len(row))[:, None]
    np.add.at(row, (vocabulary, found.centres), blocks)
    size = np.abs(row)
    factor = np.zeros_like(row)
    np.power(size, power - 1, out=factor, where=size > 0)
    length = float(np.linalg.norm(factor * row))
    blocks *= factor[vocabulary, found.centres] / (length or 1)
    return RowParts(found.centres, found.weights, blocks)


def _whitened(parts: RowParts, vlad: VLAD, whitening: Whitening) -> Floats:
    """The u of each descriptor, (n, directions)."""
    check_is_fitted(whitening)
    shape = vlad.vocabularies_.shape
    if len(whitening.mean_) != np.prod(shape):
        raise ValueError(
            f"the whitening is of rows of {len(whitening.mean_)} entries, the encoder's have "
            f"{np.prod(shape)}: give the one that was fitted on rows of this encoder"
        )
    variances = whitening.explained_variance_.astype(np.float64)
    scale = np.sqrt(variances + whitening.shrinkage * variances[0])
    matrix = whitening.components_ / scale[:, None]
    found = np.zeros((parts.blocks.shape[1], len(matrix)))
    if not parts.blocks.any():
        return found
    by_centre = matrix.reshape(-1, *shape)
    for vocabulary, (centres, block) in enumerate(zip(parts.centres, parts.blocks, strict=True)):
        for centre in np.unique(centres):
            members = centres == centre
            found[members] += block[members] @ by_centre[:, vocabulary, centre].T
    found -= matrix @ whitening.mean_ / len(found)
    return found / (float(np.linalg.norm(found.sum(axis=0))) or 1.0)

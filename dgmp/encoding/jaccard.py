"""Re-ranking by the Jaccard distance of k-reciprocal neighbourhoods."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from dgmp.encoding.neighbours import nearest_neighbours, reciprocal, require_whole
from dgmp.encoding.page_descriptors import Distances, cosines_of_units
from dgmp.metrics.distances import Floats, Positions

# Of the neighbours of a neighbour, the share that a neighbourhood must have to take in the rest.
_SHARED = 2 / 3


def jaccard_distances(
    points: Floats, *, k1: int = 4, k2: int = 1, lambda_: float = 0.3
) -> Distances:
    r"""Mix the cosine distance with the Jaccard distance of weighted neighbourhoods.

    The neighbourhood of a page is itself and its k1-reciprocal neighbours; each of these brings in
    its own neighbourhood for k1/2 (rounded up), if at least two thirds of that are in the first
    one already. A member at cosine distance d has the weight :math:`e^{-d}`; weights are divided
    by their sum, and averaged over the page and its k2 nearest others. Between two pages,

    .. math::
        d_J = 1 - \frac{\sum_g \min(v_{ig}, v_{jg})}{\sum_g \max(v_{ig}, v_{jg})}, \qquad
        d^* = (1 - \lambda) d_J + \lambda d

    Source: Zhong, Zheng, Cao, Li, Re-ranking Person Re-identification with k-reciprocal Encoding,
    CVPR 2017; for writers, Jordan et al., Re-ranking for Writer Identification and Writer
    Retrieval, DAS 2020 (arXiv 2007.07101). In the published code k2 counts the page itself: there
    it is one more than here.

    Args:
        points: (n, D), of unit length.
        k1: Neighbours, below n; more than a writer's other pages mixes writers.
        k2: Neighbours to average over, below n; 0 for none.
        lambda_: Share of the cosine distance, from 0 to 1.

    Returns:
        (n, n).

    Raises:
        ValueError: on settings out of range.
    """
    require_whole("k1", k1, 1)
    require_whole("k2", k2, 0)
    if not 0 <= lambda_ <= 1:
        raise ValueError(f"lambda_ must be from 0 to 1, got {lambda_!r}")
    distances = cosines_of_units(points)
    ranked = nearest_neighbours(1 - distances, max(k1, k2))
    weights = _neighbourhoods(ranked, k1).tocoo()
    weights.data = np.exp(-distances[weights.row, weights.col].astype(np.float64))
    shares = csr_array(weights)
    shares = _divided(shares, shares.sum(axis=1))
    if k2:
        n = len(points)
        near = np.column_stack([np.arange(n), ranked[:, :k2]])
        chosen = csr_array(
            (np.ones(near.size), near.ravel(), np.arange(0, near.size + 1, k2 + 1)), shape=(n, n)
        )
        shares = csr_array(chosen @ shares) / (k2 + 1)
    distances *= lambda_
    distances += (1 - lambda_) * _jaccard(csr_array(shares))
    return distances


def _neighbourhoods(ranked: Positions, k1: int) -> csr_array:
    """The expanded neighbourhoods, (n, n), nonzero at their members."""
    near = reciprocal(ranked[:, :k1])
    nearer = reciprocal(ranked[:, : (k1 + 1) // 2])
    sizes = nearer.sum(axis=1)
    common = (near @ nearer.T).tocoo()  # members of near[i] that are in nearer[j]
    taken = common.data >= _SHARED * sizes[common.col]
    brings = csr_array(
        (np.ones(taken.sum()), (common.row[taken], common.col[taken])), shape=near.shape
    )
    return csr_array(near + (near * brings) @ nearer)


def _divided(matrix: csr_array, sums: Floats) -> csr_array:
    matrix.data /= np.repeat(sums, np.diff(matrix.indptr))
    return matrix


def _jaccard(shares: csr_array) -> Distances:
    """Jaccard distances of rows whose sum is 1, (n, n)."""
    n = shares.shape[0]
    holders = shares.tocsc()
    distances = np.empty((n, n), dtype=np.float32)
    for page in range(n):
        common = np.zeros(n)
        for at in range(shares.indptr[page], shares.indptr[page + 1]):
            member = shares.indices[at]
            others = slice(holders.indptr[member], holders.indptr[member + 1])
            common[holders.indices[others]] += np.minimum(holders.data[others], shares.data[at])
        distances[page] = 1 - common / (2 - common)  # min + max is the sum of both rows
    return distances

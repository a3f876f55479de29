"""Similarity graph re-ranking."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from dgmp.encoding.neighbours import nearest_neighbours, require_whole
from dgmp.encoding.page_descriptors import Distances, cosines_of_units, l2_normalize
from dgmp.metrics.distances import Floats


def similarity_graph_distances(
    points: Floats, *, k: int = 2, layers: int = 1, gamma: float = 0.4
) -> Distances:
    r"""Compare pages by their similarities to all pages, smoothed over the nearest neighbours.

    A page is described by its row of :math:`A_{ij} = \exp(-(1 - s_{ij})^2 / \gamma)`, with s the
    cosine. In each layer A is made symmetric, then each row becomes
    :math:`a_i + \sum_j s_{ij} a_j` over the k largest other entries j of the row, of unit length.
    The result are the cosine distances of the rows. Source: Peer, Kleber, Sablatnig, Towards Writer
    Retrieval for Historical Datasets, ICDAR 2023 (arXiv 2305.05358). The authors' code adds to the
    rows one after the other, some to rows that were changed before; here all are added at once, so
    that the order of the pages does not matter.

    Args:
        points: (n, D), of unit length.
        k: Neighbours, below n; more than a writer's other pages mixes writers.
        layers: How often neighbours are added; 0 only compares the rows of A.
        gamma: Positive; the smaller, the less distant pages count.

    Returns:
        (n, n).

    Raises:
        ValueError: on settings out of range.
    """
    require_whole("k", k, 1)
    require_whole("layers", layers, 0)
    if not 0 < gamma < np.inf:
        raise ValueError(f"gamma must be a positive number, got {gamma!r}")
    n = len(points)
    similarities = 1 - cosines_of_units(points)
    graph = np.exp(-((1 - similarities) ** 2) / np.float32(gamma))
    for _ in range(layers):
        graph = (graph + graph.T) / 2
        neighbours = nearest_neighbours(graph, k)
        weights = np.take_along_axis(similarities, neighbours, axis=1)
        added = csr_array(
            (weights.ravel(), neighbours.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n)
        )
        graph = l2_normalize(graph + added @ graph)
    return cosines_of_units(l2_normalize(graph.astype(np.float64)))

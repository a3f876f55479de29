"""Query expansion by k-reciprocal neighbours."""

from __future__ import annotations

import numpy as np

from dgmp.encoding.neighbours import nearest_neighbours, reciprocal, require_whole
from dgmp.encoding.page_descriptors import Distances, cosines_of_units, l2_normalize
from dgmp.metrics.distances import Floats


def expanded_distances(points: Floats, *, k: int = 2) -> Distances:
    """Compare the means of pages and their k-reciprocal neighbours, by the cosine distance.

    Two pages are k-reciprocal neighbours if each is among the k nearest others of the other one. A
    page without any keeps its descriptor. Source: Jordan et al., Re-ranking for Writer
    Identification and Writer Retrieval, DAS 2020 (arXiv 2007.07101).

    Args:
        points: (n, D), of unit length.
        k: Neighbours, below n.

    Returns:
        (n, n).

    Raises:
        ValueError: on a k out of range.
    """
    require_whole("k", k, 1)
    neighbours = nearest_neighbours(1 - cosines_of_units(points), k)
    # A sum, as its length does not matter.
    return cosines_of_units(l2_normalize(np.asarray(reciprocal(neighbours) @ points)))

"""Re-ranking of page descriptors by their neighbours."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Literal

from numpy.typing import ArrayLike

from dgmp.encoding.jaccard import jaccard_distances
from dgmp.encoding.page_descriptors import Distances, among_informative
from dgmp.encoding.query_expansion import expanded_distances
from dgmp.encoding.similarity_graph import similarity_graph_distances

Reranking = Literal["sgr", "query-expansion", "jaccard"]

METHODS: dict[str, Callable[..., Distances]] = {
    "sgr": similarity_graph_distances,
    "query-expansion": expanded_distances,
    "jaccard": jaccard_distances,
}


def rerank(descriptors: ArrayLike, method: Reranking, **settings: float) -> Distances:
    """Distances between all pages that take their neighbours into account.

    Each method uses the other pages of the same set (it is transductive): report results without it
    too. A page without information is no page's neighbour, and at `LARGEST_DISTANCE` from all
    others; the methods' own distances do not exceed that.

    Args:
        descriptors: (n, D), of any length; a row of zeros is a page without information.
        method: "sgr", "query-expansion" or "jaccard": see `similarity_graph_distances`,
            `expanded_distances` and `jaccard_distances`.
        settings: Of the method: k, layers, gamma; k; or k1, k2, lambda_.

    Returns:
        (n, n), zero on the diagonal, for `dgmp.metrics.evaluate_ranking`.

    Raises:
        ValueError: on an unknown method or setting, on a setting out of range, on as many
            neighbours as there are pages with information, and as `cosine_distances`.

    Pages 0 and 1 are each other's nearest, and so are pages 2 and 3.

    >>> pages = [[1.0, 0.0], [0.6, 0.8], [-0.6, 0.8], [-1.0, 0.0]]
    >>> rerank(pages, "query-expansion", k=1)[0].round(1).tolist()
    [0.0, 0.0, 1.600000023841858, 1.600000023841858]
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    known = list(inspect.signature(METHODS[method]).parameters)[1:]
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise ValueError(f"{method} has the settings {', '.join(known)}, got {unknown[0]!r}")
    return among_informative(descriptors, partial(METHODS[method], **settings))

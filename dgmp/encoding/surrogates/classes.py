"""Surrogate classes: clusters of local descriptors take the place of labels (Cl-S).

Christlein, Gropp, Fiel and Maier, "Unsupervised feature learning for writer identification and
writer retrieval", ICDAR 2017: a network learns to tell the cluster of a SIFT descriptor from the
patch around its keypoint. No label of a writer is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA

# Local descriptors in a step of k-means, and in a block of distances.
BATCH = 10_000
UNCLEAR = -1
"""Label of a descriptor that fails the ratio test."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class SurrogateClasses:
    """Clusters of local descriptors.

    Attributes:
        mean: (d,), subtracted before the projection.
        projection: (d, dimensions), the principal components.
        centres: (K, dimensions).
    """

    mean: Floats
    projection: Floats
    centres: Floats

    def labels(self, vectors: NDArray[np.floating], ratio: float) -> NDArray[np.int64]:
        """The nearest centre of each local descriptor, or `UNCLEAR`.

        Args:
            vectors: (n, d).
            ratio: Largest distance of the nearest centre as a fraction of that of the second
                nearest: with less, descriptors between two centres are left out; 1 keeps all.

        Returns:
            (n,), from 0 to K - 1, or `UNCLEAR`.
        """
        found = np.empty(len(vectors), np.int64)
        squares = np.square(self.centres).sum(axis=1)
        for start in range(0, len(vectors), BATCH):
            rows = slice(start, start + BATCH)
            points = (vectors[rows] - self.mean) @ self.projection
            distances = squares - 2 * points @ self.centres.T
            distances += np.square(points).sum(axis=1, keepdims=True)
            nearest, second = np.argpartition(distances, 1, axis=1)[:, :2].T
            each = np.arange(len(points))
            clear = distances[each, nearest] <= ratio**2 * distances[each, second]
            found[rows] = np.where(clear, nearest, UNCLEAR)
        return found


def find_classes(
    vectors: NDArray[np.floating], *, classes: int, dimensions: int, seed: int
) -> SurrogateClasses:
    """Cluster a sample of local descriptors by mini-batch k-means in their principal components.

    Args:
        vectors: (n, d).
        classes: K.
        dimensions: Principal components, not whitened.
        seed: Of k-means.

    Raises:
        ValueError: There are fewer descriptors than classes, or than dimensions.
    """
    if len(vectors) < classes:
        raise ValueError(
            f"{classes} surrogate classes need as many local descriptors, got {len(vectors)}: "
            "lower classes, or give more pages"
        )
    if dimensions > min(vectors.shape):
        raise ValueError(
            f"dimensions must be at most {min(vectors.shape)} for {len(vectors)} local descriptors "
            f"of {vectors.shape[1]} entries, got {dimensions}"
        )
    pca = PCA(dimensions, svd_solver="covariance_eigh").fit(vectors)
    mean = pca.mean_.astype(np.float32)
    projection = np.ascontiguousarray(pca.components_.T, np.float32)
    kmeans = MiniBatchKMeans(classes, batch_size=BATCH, n_init=1, random_state=seed)
    kmeans.fit((vectors - mean) @ projection)
    return SurrogateClasses(mean, projection, kmeans.cluster_centers_.astype(np.float32))


def even_share(counts: NDArray[np.integer], most: int) -> NDArray[np.intp]:
    """How many to take of each page, as evenly as the pages allow, so that all are at most `most`.

    Args:
        counts: (pages,), how many each page has.
        most: In all.

    >>> even_share(np.array([1, 9, 9]), 7).tolist()
    [1, 3, 3]
    >>> even_share(np.array([1, 2]), 7).tolist()
    [1, 2]
    """
    low, high = 0, int(counts.max(initial=0))
    while low < high:
        share = (low + high + 1) // 2
        low, high = (share, high) if counts.clip(max=share).sum() <= most else (low, share - 1)
    return counts.clip(max=low).astype(np.intp)


def first_of_equals(patches: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Rows of the patches (n, h, w) without those that equal an earlier one, in order.

    >>> first_of_equals(np.array([[[1]], [[0]], [[1]]], np.uint8)).tolist()
    [0, 1]
    """
    seen: dict[bytes, int] = {}
    for row, patch in enumerate(patches):
        seen.setdefault(np.packbits(patch).tobytes(), row)
    return np.array(list(seen.values()), np.intp)

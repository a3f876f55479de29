"""P x K batches and the triplet loss on hard triplets (Eq. 11; Hermans et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchEasyHardMiner, BatchHardMiner
from pytorch_metric_learning.reducers import AvgNonZeroReducer, SumReducer
from pytorch_metric_learning.samplers import MPerClassSampler
from pytorch_metric_learning.utils import common_functions
from pytorch_metric_learning.utils.loss_and_miner_utils import convert_to_triplets
from torch import Tensor


@dataclass(frozen=True)
class TripletStatistics:
    """Of one batch: the loss, the fraction of triplets with a loss, the mean distance."""

    loss: Tensor
    active: float
    spread: float


LossDistance = Literal["sqeuclidean", "euclidean"]
Mining = Literal["hardest", "all-positives"]
Reduction = Literal["active", "sum"]


class BatchHardTripletLoss:
    """Hinge on the distances to the hardest positive and negative.

    The loss is zero, with a gradient of zero, where no triplet violates the margin.

    Args:
        margin: m of Eq. 11, in that distance of unit vectors.
        distance: "sqeuclidean", as in the authors' code, or "euclidean", which Hermans et al. found
            less prone to collapse: its gradient does not vanish where descriptors are near.
        mining: "hardest", the hardest positive and negative of each anchor (section IV-C.1); or
            "all-positives", each pair of a class once, its first as the anchor, with the hardest
            negative of that anchor, as in the authors' code.
        reduction: "active", the mean over the triplets that violate the margin, as in the
            authors' code; or "sum", Eq. 11 as it is printed.
    """

    def __init__(
        self,
        margin: float,
        *,
        distance: LossDistance = "sqeuclidean",
        mining: Mining = "hardest",
        reduction: Reduction = "active",
    ) -> None:
        self.margin = margin
        self.mining = mining
        self.distance = LpDistance(
            normalize_embeddings=False, p=2, power=2 if distance == "sqeuclidean" else 1
        )
        self.miner = (
            BatchHardMiner(distance=self.distance)
            if mining == "hardest"
            else BatchEasyHardMiner("all", "hard", distance=self.distance)
        )
        self.loss = TripletMarginLoss(
            margin=margin,
            distance=self.distance,
            reducer=AvgNonZeroReducer() if reduction == "active" else SumReducer(),
        )

    def __call__(self, descriptors: Tensor, labels: Tensor) -> TripletStatistics:
        """Loss of descriptors (P*K, D) of unit length with labels (P*K,)."""
        with torch.no_grad():
            triplets = self._mine(descriptors, labels)
            distances = self.distance(descriptors)
            anchors, positives, negatives = triplets
            gaps = distances[anchors, negatives] - distances[anchors, positives]
            active = float((gaps < self.margin).float().mean())
            spread = float(distances.mean())
        return TripletStatistics(self.loss(descriptors, labels, triplets), active, spread)

    def _mine(self, descriptors: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Anchors, positives and negatives, as positions in the batch."""
        anchors, positives, negatives = convert_to_triplets(
            self.miner(descriptors, labels), labels, t_per_anchor="all"
        )
        if self.mining == "all-positives":
            once = anchors < positives
            return anchors[once], positives[once], negatives[once]
        return anchors, positives, negatives

    def collapsed(self, loss: float, spread: float) -> bool:
        """Whether all descriptors have become one: loss at the margin, distances near zero."""
        return loss > 0.9 * self.margin and spread < 0.1 * self.margin


def short_classes(labels: np.ndarray, samples: int) -> int:
    """How many classes have fewer than `samples` (K) indices.

    >>> short_classes(np.array([0, 0, 0, 1, 2, 2]), 2)
    1
    """
    return int((np.unique(labels, return_counts=True)[1] < samples).sum())


def batches_of_classes(
    labels: np.ndarray,
    *,
    classes: int,
    samples: int,
    batches: int,
    rng: np.random.Generator,
) -> Iterator[list[int]]:
    """Batches of `samples` random indices from each of `classes` random classes (P and K).

    A class with fewer than `samples` indices is drawn from with replacement.

    Args:
        labels: The class of each index, integers (n,).
        classes: P, classes in a batch.
        samples: K, indices of each.
        batches: How many batches.
        rng: Source of randomness.

    Raises:
        ValueError: there are fewer classes than a batch needs.
    """
    available = len(np.unique(labels))
    if available < classes:
        raise ValueError(
            f"a batch needs {classes} classes, but there are {available}: lower "
            "writers_per_batch or add pages of further writers"
        )
    common_functions.NUMPY_RANDOM = rng  # the sampler draws from this module-wide name
    size = classes * samples
    sampler = MPerClassSampler(
        labels, samples, batch_size=size, length_before_new_iter=batches * size
    )
    indices = list(sampler)
    for start in range(0, len(indices), size):
        yield indices[start : start + size]

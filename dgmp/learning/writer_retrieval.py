"""Writer retrieval: training on patches, descriptors of pages (section IV-C.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from dgmp.learning.inference import Inference, sum_outputs
from dgmp.learning.inputs import Inputs
from dgmp.learning.loading import load_ahead, pinned
from dgmp.learning.log import StepResult
from dgmp.learning.processes import ALONE, Processes
from dgmp.learning.triplet import BatchHardTripletLoss, batches_of_classes
from dgmp.metrics import Distance, evaluate_retrieval


@dataclass(frozen=True)
class WriterBatches:
    """One epoch of P x K batches of patches.

    Attributes:
        inputs: The training patches.
        writers: P.
        patches: K.
        batches: Batches in an epoch; None for as many as the patches fill, the last patch left out
            as in the authors' code.
        rng: Source of randomness.
        processes: Those that share the batches; all draw the same ones.
        threads: How many batches are read at once.
    """

    inputs: Inputs
    writers: int
    patches: int
    batches: int | None
    rng: np.random.Generator
    processes: Processes = ALONE
    threads: int = 1

    def __call__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(inputs (n, ...), writers (P*K,)), batch by batch.

        The n inputs are this process's shard of the P*K.
        """
        _, labels = np.unique(self.inputs.labels, return_inverse=True)
        batches = self.batches or max(1, (len(labels) - 1) // (self.writers * self.patches))
        plans = batches_of_classes(
            labels, classes=self.writers, samples=self.patches, batches=batches, rng=self.rng
        )

        def load(indices: list[int]) -> tuple[Tensor, Tensor]:
            own = indices[self.processes.shard(len(indices))]
            return (
                pinned(self.inputs(own), self.processes.device),
                torch.as_tensor(labels[indices]),
            )

        yield from load_ahead(load, plans, threads=self.threads)


def triplet_step(
    loss: BatchHardTripletLoss,
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    processes: Processes = ALONE,
) -> StepResult:
    """Batch-hard triplet loss over the descriptors of all processes."""
    statistics = loss(processes.gather(model(x), len(y)), y)
    return StepResult(statistics.loss, statistics.active, statistics.spread)


@dataclass(frozen=True)
class PageDescriptors:
    """One descriptor a page.

    Attributes:
        descriptors: (pages, D) float32, means of the patch descriptors, not normalised again.
        pages: Names, (pages,).
        writers: Labels, (pages,).
    """

    descriptors: np.ndarray
    pages: np.ndarray
    writers: np.ndarray


def describe_pages(model: nn.Module, inputs: Inputs, inference: Inference) -> PageDescriptors:
    """Average the patch descriptors of each page (section IV-C.1).

    Raises:
        ValueError: there are no patches.
    """
    if len(inputs.pages) == 0:
        raise ValueError("there are no patches to describe")
    pages, first, page_of_patch = np.unique(inputs.pages, return_index=True, return_inverse=True)
    sums = sum_outputs(model, inputs, page_of_patch, inference)
    means = (sums / np.bincount(page_of_patch)[:, None]).astype(np.float32)
    return PageDescriptors(means, pages, inputs.labels[first])


def retrieval_error(
    model: nn.Module,
    inputs: Inputs,
    inference: Inference,
    *,
    distance: Distance = "sqeuclidean",
) -> float:
    """100 minus the mean average precision of the pages by that distance, in percent."""
    described = describe_pages(model, inputs, inference)
    scores = evaluate_retrieval(described.descriptors, described.writers, distance=distance)
    return 100 - scores.mean_average_precision

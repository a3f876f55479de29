"""Writer retrieval: training on patches, descriptors of pages (section IV-C.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from dgmp.images.patches import PatchStore
from dgmp.metrics import evaluate_retrieval
from dgmp.training import StepResult
from dgmp.triplet import BatchHardTripletLoss, batches_of_classes


@dataclass(frozen=True)
class WriterBatches:
    """One epoch of P x K batches of patches.

    Attributes:
        store: The training patches.
        writers: P.
        patches: K.
        batches: Batches in an epoch; None for as many as the patches fill.
        rng: Source of randomness.
    """

    store: PatchStore
    writers: int
    patches: int
    batches: int | None
    rng: np.random.Generator

    def __call__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(images (P*K, 1, h, w) with paper 1 and ink 0, writers (P*K,)), batch by batch."""
        _, labels = np.unique(self.store.labels, return_inverse=True)
        batches = self.batches or max(1, len(labels) // (self.writers * self.patches))
        for indices in batches_of_classes(
            labels, classes=self.writers, samples=self.patches, batches=batches, rng=self.rng
        ):
            yield to_images(self.store.read(indices)), torch.as_tensor(labels[indices])


def triplet_step(loss: BatchHardTripletLoss, model: nn.Module, x: Tensor, y: Tensor) -> StepResult:
    """Batch-hard triplet loss of one batch."""
    statistics = loss(model(x), y)
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


@torch.no_grad()
def describe_pages(
    model: nn.Module, store: PatchStore, *, batch: int, device: torch.device
) -> PageDescriptors:
    """Average the patch descriptors of each page (section IV-C.1).

    Raises:
        ValueError: the store holds no patches.
    """
    if len(store) == 0:
        raise ValueError("there are no patches to describe")
    model.eval()
    pages, first, page_of_patch = np.unique(store.pages, return_index=True, return_inverse=True)
    sums = None
    for start in range(0, len(store), batch):
        images = to_images(store.read(slice(start, start + batch)))
        descriptors = model(images.to(device, memory_format=torch.channels_last)).cpu().numpy()
        if sums is None:
            sums = np.zeros((len(pages), descriptors.shape[1]))
        np.add.at(sums, page_of_patch[start : start + batch], descriptors)
    assert sums is not None
    means = (sums / np.bincount(page_of_patch)[:, None]).astype(np.float32)
    return PageDescriptors(means, pages, store.labels[first])


def retrieval_error(
    model: nn.Module, store: PatchStore, *, batch: int, device: torch.device
) -> float:
    """100 minus the mean average precision of the pages, in percent."""
    described = describe_pages(model, store, batch=batch, device=device)
    scores = evaluate_retrieval(described.descriptors, described.writers)
    return 100 - scores.mean_average_precision


def to_images(ink: np.ndarray) -> Tensor:
    """Ink masks (n, h, w) of 0 and 1 as images (n, 1, h, w) with paper 1 and ink 0."""
    return torch.from_numpy(1 - ink).unsqueeze(1).float()

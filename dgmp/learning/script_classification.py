"""Script-type classification on whole pages (section IV-C.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dgmp.images.augmentation import Resampling, ScriptAugmentation, augment, center_view
from dgmp.learning.inference import Inference, sum_outputs
from dgmp.learning.loading import load_ahead, pinned
from dgmp.learning.log import StepResult
from dgmp.learning.processes import ALONE, Processes


@dataclass(frozen=True)
class ScriptBatches:
    """One epoch of shuffled, augmented pages.

    Attributes:
        pages: Grey pages, uint8 (H, W) of any size.
        labels: Class number of each page.
        batch: Pages in a batch; a last, smaller batch is left out.
        augmentation: Ranges of the random views.
        rng: Source of randomness.
        processes: Those that share the batches; all draw the same ones.
        threads: How many batches are made at once.
    """

    pages: Sequence[np.ndarray]
    labels: np.ndarray
    batch: int
    augmentation: ScriptAugmentation
    rng: np.random.Generator
    processes: Processes = ALONE
    threads: int = 1

    def __call__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(images (n, 1, crop, crop) in [0, 1], class numbers (batch,)), batch by batch.

        The n images are this process's shard of the batch. Each view has a generator of its own,
        so that it does not matter which thread or process draws it.
        """
        batch = min(self.batch, len(self.pages))
        order = self.rng.permutation(len(self.pages))
        seeds = self.rng.integers(2**63, size=len(order))

        def load(start: int) -> tuple[Tensor, Tensor]:
            chosen = order[start : start + batch]
            own = self.processes.shard(len(chosen))
            views = [
                augment(self.pages[i], np.random.default_rng(seed), self.augmentation)
                for i, seed in zip(chosen[own], seeds[start : start + batch][own], strict=True)
            ]
            images = pinned(to_images(views), self.processes.device)
            return images, torch.as_tensor(self.labels[chosen])

        starts = range(0, len(order) - batch + 1, batch)
        yield from load_ahead(load, starts, threads=self.threads)


def cross_entropy_step(
    model: nn.Module, x: Tensor, y: Tensor, *, processes: Processes = ALONE
) -> StepResult:
    """Mean cross-entropy over the images of all processes."""
    return StepResult(cross_entropy(processes.gather(model(x), len(y)), y))


def class_scores(
    model: nn.Module,
    pages: Sequence[np.ndarray],
    inference: Inference,
    *,
    crop: int,
    resampling: Resampling = "area",
) -> np.ndarray:
    """Activations of the last linear layer for one central view of each page.

    Returns:
        (pages, classes) float32.

    Raises:
        ValueError: there are no pages.
    """
    if len(pages) == 0:
        raise ValueError("there are no pages to classify")

    def load(rows: slice) -> Tensor:
        return to_images([center_view(page, crop, resampling) for page in pages[rows]])

    return sum_outputs(model, load, np.arange(len(pages)), inference).astype(np.float32)


def to_images(views: Sequence[np.ndarray]) -> Tensor:
    """Views uint8 (crop, crop) as images (n, 1, crop, crop) in [0, 1]."""
    return torch.from_numpy(np.stack(views)).unsqueeze(1).float() / 255

"""Script-type classification on whole pages (section IV-C.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dgmp.images.augmentation import ScriptAugmentation, augment, center_view
from dgmp.training import StepResult


@dataclass(frozen=True)
class ScriptBatches:
    """One epoch of shuffled, augmented pages.

    Attributes:
        pages: Grey pages, uint8 (H, W) of any size.
        labels: Class number of each page.
        batch: Pages in a batch; a last, smaller batch is left out.
        augmentation: Ranges of the random views.
        rng: Source of randomness.
    """

    pages: Sequence[np.ndarray]
    labels: np.ndarray
    batch: int
    augmentation: ScriptAugmentation
    rng: np.random.Generator

    def __call__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(images (batch, 1, crop, crop) in [0, 1], class numbers (batch,)), batch by batch."""
        batch = min(self.batch, len(self.pages))
        order = self.rng.permutation(len(self.pages))
        for start in range(0, len(order) - batch + 1, batch):
            chosen = order[start : start + batch]
            views = [augment(self.pages[i], self.rng, self.augmentation) for i in chosen]
            yield to_images(views), torch.as_tensor(self.labels[chosen])


def cross_entropy_step(model: nn.Module, x: Tensor, y: Tensor) -> StepResult:
    """Cross-entropy of one batch."""
    return StepResult(cross_entropy(model(x), y))


@torch.no_grad()
def class_scores(
    model: nn.Module, pages: Sequence[np.ndarray], *, crop: int, batch: int, device: torch.device
) -> np.ndarray:
    """Activations of the last linear layer for one central view of each page.

    Returns:
        (pages, classes) float32.

    Raises:
        ValueError: there are no pages.
    """
    if len(pages) == 0:
        raise ValueError("there are no pages to classify")
    model.eval()
    scores = []
    for start in range(0, len(pages), batch):
        views = [center_view(page, crop) for page in pages[start : start + batch]]
        images = to_images(views).to(device, memory_format=torch.channels_last)
        scores.append(model(images).float().cpu().numpy())
    return np.concatenate(scores)


def to_images(views: Sequence[np.ndarray]) -> Tensor:
    """Views uint8 (crop, crop) as images (n, 1, crop, crop) in [0, 1]."""
    return torch.from_numpy(np.stack(views)).unsqueeze(1).float() / 255

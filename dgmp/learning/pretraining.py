"""Starting weights for small networks: which synthetic scribe wrote this crop?

They stand in for ImageNet's, which the paper starts from: trained once on scribes that no task
knows, and shared by every pooling.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

SMALLEST_SIDE = 0.7
LARGEST_SIDE = 2.0
"""Side of the cut-out relative to the crop it is resized to: writing at different scales."""
TONE_JITTER = 0.3
"""Change of contrast and brightness, so that the tone of the parchment tells nothing."""


@dataclass(frozen=True)
class CropBatches:
    """Random crops of pages, of which half show ink and paper only.

    Attributes:
        pages: Grey pages uint8 (H, W).
        labels: The scribe of each page, as a number.
        crop: Side of the square crops in pixels.
        batch: Crops in a batch.
        batches: Batches in an epoch.
        rng: Source of randomness.
    """

    pages: Sequence[np.ndarray]
    labels: np.ndarray
    crop: int
    batch: int
    batches: int
    rng: np.random.Generator

    def __call__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(images (batch, 1, crop, crop) in [0, 1], scribes (batch,)), batch by batch."""
        for _ in range(self.batches):
            chosen = self.rng.integers(len(self.pages), size=self.batch)
            views = np.stack([self._view(self.pages[i]) for i in chosen])
            images = torch.from_numpy(views).unsqueeze(1).float() / 255
            yield images, torch.as_tensor(self.labels[chosen])

    def _view(self, page: np.ndarray) -> np.ndarray:
        largest = min(*page.shape, int(LARGEST_SIDE * self.crop))
        side = int(self.rng.integers(min(largest, int(SMALLEST_SIDE * self.crop)), largest + 1))
        top, left = (int(self.rng.integers(length - side + 1)) for length in page.shape)
        view = page[top : top + side, left : left + side]
        shrinks = side > self.crop
        view = cv2.resize(
            view,
            (self.crop, self.crop),
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
        )
        if self.rng.random() < 0.5:
            return cv2.threshold(view, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1]
        contrast = self.rng.uniform(1 - TONE_JITTER, 1 + TONE_JITTER)
        brightness = 255 * self.rng.uniform(-TONE_JITTER, TONE_JITTER)
        return cv2.convertScaleAbs(view, alpha=contrast, beta=brightness)

"""Script-type classification on whole pages (section IV-C.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dgmp.learning.inference import Inference, sum_outputs
from dgmp.learning.inputs import Inputs, Views
from dgmp.learning.loading import load_ahead, pinned
from dgmp.learning.log import StepResult
from dgmp.learning.processes import ALONE, Processes


@dataclass(frozen=True)
class ScriptBatches:
    """One epoch of shuffled, augmented pages.

    Attributes:
        views: Random views of the training pages.
        labels: Class number of each page.
        batch: Pages in a batch; a last, smaller batch is left out.
        rng: Source of randomness.
        processes: Those that share the batches; all draw the same ones.
        threads: How many batches are made at once.
    """

    views: Views
    labels: np.ndarray
    batch: int
    rng: np.random.Generator
    processes: Processes = ALONE
    threads: int = 1

    def __call__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(inputs (n, ...), class numbers (batch,)), batch by batch.

        The n inputs are this process's shard of the batch.
        """
        count = len(self.labels)
        batch = min(self.batch, count)
        order = self.rng.permutation(count)
        seeds = self.rng.integers(2**63, size=count)

        def load(start: int) -> tuple[Tensor, Tensor]:
            chosen = order[start : start + batch]
            own = self.processes.shard(len(chosen))
            views = self.views(chosen[own], seeds[start : start + batch][own])
            return pinned(views, self.processes.device), torch.as_tensor(self.labels[chosen])

        starts = range(0, count - batch + 1, batch)
        yield from load_ahead(load, starts, threads=self.threads)


def cross_entropy_step(
    model: nn.Module, x: Tensor, y: Tensor, *, processes: Processes = ALONE
) -> StepResult:
    """Mean cross-entropy over the images of all processes."""
    return StepResult(cross_entropy(processes.gather(model(x), len(y)), y))


def class_scores(model: nn.Module, inputs: Inputs, inference: Inference) -> np.ndarray:
    """Activations of the last linear layer for one view of each page.

    Returns:
        (pages, classes) float32.

    Raises:
        ValueError: there are no pages.
    """
    count = len(inputs.pages)
    if count == 0:
        raise ValueError("there are no pages to classify")
    return sum_outputs(model, inputs, np.arange(count), inference).astype(np.float32)

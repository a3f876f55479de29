"""Outputs of a trained network for many images, batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from dgmp.learning.loading import load_ahead, pinned
from dgmp.learning.processes import ALONE, Processes


@dataclass(frozen=True)
class Inference:
    """How a network is applied to many images.

    Attributes:
        batch: Images at once.
        processes: Those that share the images, and where they compute.
        threads: How many batches are read at once.
    """

    batch: int
    processes: Processes = ALONE
    threads: int = 1


@torch.no_grad()
def sum_outputs(
    model: nn.Module, load: Callable[[slice], Tensor], rows: np.ndarray, inference: Inference
) -> np.ndarray:
    """Sums of a network's outputs: that of image i is added to row `rows[i]`.

    Each process computes its shard of the images; all return the whole.

    Args:
        model: (n, ...) -> (n, D); it is left in evaluation mode.
        load: The images of a slice of 0 to len(rows).
        rows: (images,) numbers from 0, at least one image.
        inference: Batches, processes and threads.

    Returns:
        (rows.max() + 1, D) float64.
    """
    model.eval()
    processes = inference.processes.for_items(len(rows))
    device = processes.device
    own = processes.shard(len(rows))

    def load_batch(start: int) -> tuple[slice, Tensor]:
        images = slice(start, min(start + inference.batch, own.stop))
        return images, pinned(load(images), device)

    starts = range(own.start, own.stop, inference.batch)
    sums = None
    for images, batch in load_ahead(load_batch, starts, threads=inference.threads):
        outputs = model(batch.to(device, non_blocking=True)).float().cpu().numpy()
        if sums is None:
            sums = np.zeros((rows.max() + 1, outputs.shape[1]))
        np.add.at(sums, rows[images], outputs)
    assert sums is not None  # for_items: each process has an image
    return processes.all_reduce(sums)

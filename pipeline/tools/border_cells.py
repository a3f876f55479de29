"""Do border cells help? mAP of the starting network with and without them, on training writers.

    python -m pipeline.tools.border_cells

Zero padding makes activations at the border of a map unlike others, and DGMP weights up what is
rare. Pools the volumes of all patches of train and val, whole and with a ring of border cells
masked, by average pooling and DGMP with each lambda of LAMBDAS; a page is the mean of its patches.
No page of the test set is read. Reads data/<profile>/trunk/writers, writes
reports/<profile>/constants/border_cells.csv.
"""

from __future__ import annotations

import logging
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import normalize
from tqdm import tqdm

from dgmp.learning.inputs import Chosen
from dgmp.metrics import evaluate_retrieval
from dgmp.pooling.functional import generalized_max_pool
from pipeline.inputs.network import network_parts
from pipeline.inputs.task_data import load_inputs
from pipeline.shared.files import write_csv
from pipeline.shared.settings.params import ParamsError, load_params
from pipeline.shared.stage import run

log = logging.getLogger(__name__)

LAMBDAS = (1.0, 100.0, 1000.0, 10_000.0, 100_000.0)
BATCH = 64


def inner_cells(height: int, width: int) -> Tensor:
    """bool (height * width,), False for the ring of border cells."""
    inside = torch.zeros(height, width, dtype=torch.bool)
    inside[1:-1, 1:-1] = True
    return inside.flatten()


def average(phi: Tensor, mask: Tensor) -> Tensor:
    """Mean over the unmasked locations of (B, D, N), mask (B, N)."""
    return (phi * mask.unsqueeze(1)).sum(2) / mask.sum(1, keepdim=True)


@torch.inference_mode()
def main() -> None:
    params = load_params()
    if params.active.writers.trainable is None:
        raise ParamsError("border_cells needs a frozen trunk: set writers.trainable to a number")
    inputs = load_inputs(params, "writers")
    patches = Chosen(
        (inputs.train, inputs.val), np.arange(len(inputs.train.labels) + len(inputs.val.labels))
    )
    backbone = network_parts(params, "writers").backbone.eval()
    pools = {"avg": average} | {
        f"dgmp {value:g}": partial(_dgmp, lambda_=value) for value in LAMBDAS
    }
    pages, first, page_of = np.unique(patches.pages, return_index=True, return_inverse=True)
    sums = {
        (name, ring): np.zeros((len(pages), backbone.channels))
        for name in pools
        for ring in (True, False)
    }
    count = len(page_of)
    for start in tqdm(range(0, count, BATCH), desc="border cells", unit="batch", disable=None):
        rows = np.arange(start, min(start + BATCH, count))
        volume = backbone(patches(rows))
        inner = inner_cells(*volume.shape[2:])
        phi = volume.flatten(2)
        for (name, ring), total in sums.items():
            mask = (inner | ring).expand(len(rows), -1)
            pooled = normalize(pools[name](phi, mask), dim=1)
            np.add.at(total, page_of[rows], pooled.numpy())
    labels = patches.labels[first]
    counts = np.bincount(page_of)[:, None]
    table = []
    for (name, ring), total in sums.items():
        scores = evaluate_retrieval((total / counts).astype(np.float32), labels)
        table.append(
            {
                "pooling": name,
                "border cells": "pooled" if ring else "masked",
                "mAP": scores.mean_average_precision,
                "top1": scores.top1,
            }
        )
        log.info("%s", "  ".join(f"{key} {value}" for key, value in table[-1].items()))
    write_csv(params.reports / "constants" / "border_cells.csv", pd.DataFrame(table), decimals=2)


def _dgmp(phi: Tensor, mask: Tensor, *, lambda_: float) -> Tensor:
    return generalized_max_pool(phi, lambda_, mask=mask.contiguous())


if __name__ == "__main__":
    run(main)

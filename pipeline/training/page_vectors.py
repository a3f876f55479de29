"""Descriptors of all pages by the trained networks of a cell, for the chain behind them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from dgmp.learning.inputs import Inputs
from dgmp.learning.models import DescriptorNet
from dgmp.pooling import StreamingGMP
from dgmp.pooling.functional import generalized_max_pool
from pipeline.inputs.network import load_trained, network_parts
from pipeline.inputs.task_data import load_inputs
from pipeline.shared.settings.params import Params
from pipeline.training.run import pooling_layer

# Of one pass through the network. A page of one pass is pooled by the smaller form of the system,
# 8 times as fast for 12 patches of 49 locations and 1,280 activation maps; others are streamed.
PATCHES_PER_PASS = 256


class EmbedJob(NamedTuple):
    """A trained network of a cell of writers."""

    params: Params
    cell: str
    seed: int


class PageVectors(NamedTuple):
    """Two descriptors of each page of train, val and test.

    Attributes:
        pages: (n, 4) text, file, label, split and group as in a page list.
        patch: (n, D) float32, means of the patches' pooled descriptors (section IV-C.1).
        page: (n, D) float32, generalized max pooling of all locations of all patches of a page.
    """

    pages: NDArray[np.str_]
    patch: NDArray[np.float32]
    page: NDArray[np.float32]


@torch.no_grad()
def embed_pages(job: EmbedJob) -> PageVectors:
    """Describe all pages by one network; a page without a finite system is a row of zeros."""
    torch.set_num_threads(1)
    data = load_inputs(job.params, "writers")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_network(job).eval().to(device).to(memory_format=torch.channels_last)
    lambda_ = job.params.embedded[job.cell].lambda_
    rows, patch, page = [], [], []
    for split, inputs in (("train", data.train), ("val", data.val), ("test", data.test)):
        for name, label, patches in pages_of(inputs):
            passes = np.array_split(patches, -(-len(patches) // PATCHES_PER_PASS))
            whole = StreamingGMP(model.backbone.channels, device=device)
            total = torch.zeros(model.backbone.channels, dtype=torch.float64, device=device)
            for batch in passes:
                volume = model.backbone(model.preparation(inputs(batch).to(device))).float()
                pooled = model.pooling(volume)
                total += (normalize(pooled, dim=1) if model.normalize else pooled).double().sum(0)
                if len(passes) > 1:
                    whole.add(volume)
            pooled = (
                whole.finish(lambda_, relative=True)
                if len(passes) > 1
                else pool_page(volume, lambda_)
            )
            rows.append((name, label, split, ""))
            patch.append((total / len(patches)).cpu().numpy())
            page.append(pooled.cpu().numpy())
    return PageVectors(np.array(rows), *(np.stack(one).astype(np.float32) for one in (patch, page)))


def pool_page(volume: Tensor, lambda_: float) -> Tensor:
    """Generalized max pooling of all locations of (B, D, H, W) activations, (D,)."""
    locations = volume.transpose(0, 1).flatten(1).unsqueeze(0)
    return generalized_max_pool(locations, lambda_, relative=True).squeeze(0)


def load_network(job: EmbedJob) -> DescriptorNet:
    """The trained network over what `load_inputs` gives."""
    params = job.params
    parts = network_parts(params, "writers")
    model = DescriptorNet(
        nn.Identity() if params.active.writers.trainable is not None else parts.preparation,
        parts.backbone,
        pooling_layer(params.poolings[params.cells[job.cell].pooling]),
        normalize=params.active.writers.normalize,
    )
    load_trained(model, params.data / "train" / job.cell / f"seed{job.seed}.safetensors")
    return model


def pages_of(inputs: Inputs) -> list[tuple[str, str, NDArray[np.intp]]]:
    """Name, label and patches of each page."""
    names, first, counts = np.unique(inputs.pages, return_index=True, return_counts=True)
    order = np.argsort(inputs.pages, kind="stable")
    patches = np.split(order, counts.cumsum()[:-1])
    return list(zip(names.tolist(), inputs.labels[first].tolist(), patches, strict=True))

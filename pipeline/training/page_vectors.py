"""Descriptors of all pages by the trained networks of a cell, for the chain behind them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch.nn.functional import normalize

from dgmp.images.patches import PatchStore
from dgmp.learning.models import DescriptorNet, Standardize, build_backbone
from dgmp.learning.writer_retrieval import to_images
from dgmp.pooling import StreamingGMP
from pipeline.shared.settings.params import Params
from pipeline.training.run import pooling_layer
from pipeline.training.task_data import TaskData, load_task


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
    data = load_task(job.params, "writers")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = _network(job, data).eval().to(device).to(memory_format=torch.channels_last)
    rows, patch, page = [], [], []
    for split, store in (("train", data.train), ("val", data.val), ("test", data.test)):
        for name, label, patches in _pages_of(store):
            whole = StreamingGMP(model.backbone.channels, device=device)
            total = torch.zeros(model.backbone.channels, dtype=torch.float64, device=device)
            for batch in np.array_split(patches, -(-len(patches) // 256)):
                images = model.rescale(to_images(store.read(batch)).to(device))
                volume = model.backbone(model.standardize(images)).float()
                pooled = model.pooling(volume)
                total += (normalize(pooled, dim=1) if model.normalize else pooled).double().sum(0)
                whole.add(volume)
            rows.append((name, label, split, ""))
            patch.append((total / len(patches)).cpu().numpy())
            page.append(
                whole.finish(job.params.embedded[job.cell].lambda_, relative=True).cpu().numpy()
            )
    return PageVectors(np.array(rows), *(np.stack(one).astype(np.float32) for one in (patch, page)))


def _network(job: EmbedJob, data: TaskData[PatchStore]) -> DescriptorNet:
    params = job.params
    settings, backbone = params.active.writers, params.active.backbone
    side = settings.resize or data.train.size
    model = DescriptorNet(
        Standardize(data.mean, data.sd) if settings.standardize else Standardize(0, 1),
        build_backbone(backbone.name, backbone.width, last_stride=settings.last_stride),
        pooling_layer(params.poolings[params.cells[job.cell].pooling]),
        scale=side / data.train.size,
        normalize=settings.normalize,
    )
    weights: Path = params.data / "train" / job.cell / f"seed{job.seed}.safetensors"
    model.load_state_dict(load_file(weights))
    return model


def _pages_of(store: PatchStore) -> list[tuple[str, str, NDArray[np.intp]]]:
    """Name, label and patches of each page."""
    names, first, counts = np.unique(store.pages, return_index=True, return_counts=True)
    order = np.argsort(store.pages, kind="stable")
    patches = np.split(order, counts.cumsum()[:-1])
    return list(zip(names.tolist(), store.labels[first].tolist(), patches, strict=True))

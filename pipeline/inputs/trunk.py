"""A frozen trunk's activations of all patches and pages, computed once for all cells."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dgmp.learning.inputs import AugmentedViews, Inputs, Views
from pipeline.inputs.network import network_parts
from pipeline.inputs.task_data import TaskInputs, image_inputs
from pipeline.shared.page_lists import SPLITS
from pipeline.shared.parallel import in_parallel
from pipeline.shared.settings.base import Task
from pipeline.shared.settings.params import Params, load_params

log = logging.getLogger(__name__)

BATCH = 8
"""Images at once: their activations stay in the processor's cache."""
CHUNK = 32
SEED = 0


class _Chunk(NamedTuple):
    """Some images of a split, for a worker process, which reads the settings by itself."""

    task: Task
    split: str
    view: int | None
    rows: tuple[int, int]
    file: Path


def write_activations(params: Params, task: Task, folder: Path) -> int:
    """Write <split>.npy float16 (n, C, h, w), train of script tasks (n, views, C, h, w).

    Args:
        params: All settings.
        task: Whose patches or pages.
        folder: Where to.

    Returns:
        Size of the files in bytes.
    """
    inputs = image_inputs(params, task)
    jobs = []
    for split in SPLITS:
        of_split = getattr(inputs, split)
        count = len(of_split.labels)
        views = params.active.scripts(task).views if _is_augmented(of_split) else None
        shape = (count, *(() if views is None else (views,)), *_shape(task, of_split))
        file = folder / f"{split}.npy"
        np.lib.format.open_memmap(file, "w+", np.float16, shape).flush()
        for view in (None,) if views is None else range(views):
            starts = range(0, count, CHUNK)
            jobs += [_Chunk(task, split, view, (i, min(i + CHUNK, count)), file) for i in starts]
    on_gpu = torch.cuda.is_available()
    done = in_parallel(
        _describe,
        jobs,
        workers=1 if on_gpu else params.active.workers,
        title=f"trunk {task}",
        unit=f"chunks of {CHUNK}",
    )
    for _ in done:
        pass
    return sum((folder / f"{split}.npy").stat().st_size for split in SPLITS)


def _is_augmented(inputs: Inputs | Views) -> bool:
    return isinstance(inputs, AugmentedViews)


def _images(inputs: Any, rows: NDArray[np.intp], view: int | None) -> Tensor:
    if view is None:
        images: Tensor = inputs(rows)
        return images
    # Every view of every page from a seed of its own.
    seeds = [int(np.random.default_rng([SEED, row, view]).integers(2**63)) for row in rows]
    views: Tensor = inputs(rows, np.array(seeds))
    return views


def _shape(task: Task, inputs: Any) -> tuple[int, ...]:
    if not len(inputs.labels):
        return (0, 0, 0)
    trunk, _ = _network(task)
    image = _images(inputs, np.array([0]), 0 if _is_augmented(inputs) else None)
    device = next(trunk.parameters()).device if list(trunk.parameters()) else image.device
    return tuple(trunk(image.to(device)).shape[1:])


@cache
def _network(task: Task) -> tuple[nn.Module, TaskInputs]:
    """Trunk and images of the current directory's settings, once a process."""
    params = load_params()
    # One thread, so that the activations do not depend on the number of cores.
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    trunk = network_parts(params, task).preparation
    return trunk.to(device).to(memory_format=torch.channels_last), image_inputs(params, task)


@torch.inference_mode()
def _describe(chunk: _Chunk) -> None:
    trunk, inputs = _network(chunk.task)
    device = next((p.device for p in trunk.parameters()), torch.device("cpu"))
    array = np.load(chunk.file, mmap_mode="r+")
    for rows in _batches(*chunk.rows):
        images = _images(getattr(inputs, chunk.split), rows, chunk.view).to(device)
        found = trunk(images.contiguous(memory_format=torch.channels_last))
        place = rows if chunk.view is None else (rows, chunk.view)
        array[place] = found.float().cpu().numpy()
    array.flush()


def _batches(first: int, end: int) -> Iterator[NDArray[np.intp]]:
    for start in range(first, end, BATCH):
        yield np.arange(start, min(start + BATCH, end))

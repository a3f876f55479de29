"""What a network reads: patches and pages as images, or a frozen trunk's activations of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dgmp.images.augmentation import Resampling, ScriptAugmentation, augment, center_view
from dgmp.images.patches import PatchStore

Rows = Sequence[int] | NDArray[np.intp] | slice


class Inputs(Protocol):
    """A set of inputs with the page and the label of each.

    Attributes:
        pages: str (n,).
        labels: str (n,).
    """

    @property
    def pages(self) -> NDArray[np.str_]: ...
    @property
    def labels(self) -> NDArray[np.str_]: ...

    def __call__(self, rows: Rows) -> Tensor:
        """The inputs (k, ...) of these rows."""


class Views(Protocol):
    """Random views of a set of pages with the label of each, str (n,)."""

    @property
    def labels(self) -> NDArray[np.str_]: ...

    def __call__(self, rows: Sequence[int] | NDArray[np.intp], seeds: NDArray[np.int64]) -> Tensor:
        """A view (k, ...) of each of these rows, drawn from its seed."""


@dataclass(frozen=True)
class InkPatches:
    """Patches as images uint8 (k, 1, size, size), paper 1 and ink 0."""

    store: PatchStore

    @property
    def pages(self) -> NDArray[np.str_]:
        return self.store.pages

    @property
    def labels(self) -> NDArray[np.str_]:
        return self.store.labels

    def __call__(self, rows: Rows) -> Tensor:
        return to_images(self.store.read(rows))


@dataclass(frozen=True)
class CentralViews:
    """The centre of each page as an image float32 (k, 1, crop, crop) in [0, 1]."""

    store: Sequence[np.ndarray]
    pages: NDArray[np.str_]
    labels: NDArray[np.str_]
    crop: int
    resampling: Resampling = "area"

    def __call__(self, rows: Rows) -> Tensor:
        numbers = np.arange(len(self.store))[rows]
        return stack_views(
            [center_view(self.store[i], self.crop, self.resampling) for i in numbers]
        )


@dataclass(frozen=True)
class AugmentedViews:
    """Random views of pages as images float32 (k, 1, crop, crop) in [0, 1].

    Each view has a generator of its own, so that it does not matter which thread or process draws
    it.
    """

    store: Sequence[np.ndarray]
    labels: NDArray[np.str_]
    augmentation: ScriptAugmentation

    def __call__(self, rows: Sequence[int] | NDArray[np.intp], seeds: NDArray[np.int64]) -> Tensor:
        return stack_views(
            [
                augment(self.store[i], np.random.default_rng(seed), self.augmentation)
                for i, seed in zip(rows, seeds, strict=True)
            ]
        )


@dataclass(frozen=True)
class Activations:
    """What a frozen trunk gives, float16 (k, C, h, w), from an array (n, C, h, w)."""

    array: NDArray[np.float16]
    pages: NDArray[np.str_]
    labels: NDArray[np.str_]

    def __call__(self, rows: Rows) -> Tensor:
        return torch.from_numpy(np.array(self.array[rows]))


@dataclass(frozen=True)
class ActivationsOfViews:
    """What a frozen trunk gives for some views of each page, from an array (n, views, C, h, w)."""

    array: NDArray[np.float16]
    labels: NDArray[np.str_]

    def __call__(self, rows: Sequence[int] | NDArray[np.intp], seeds: NDArray[np.int64]) -> Tensor:
        views = [int(np.random.default_rng(seed).integers(self.array.shape[1])) for seed in seeds]
        return torch.from_numpy(self.array[np.asarray(rows), views])


@dataclass(frozen=True)
class Chosen:
    """Rows of several inputs, which are numbered one after the other.

    Attributes:
        parts: At least one, of inputs alike.
        rows: int (n,), which are chosen, in order.
    """

    parts: Sequence[Inputs]
    rows: NDArray[np.intp]

    @property
    def pages(self) -> NDArray[np.str_]:
        return np.concatenate([part.pages for part in self.parts])[self.rows]

    @property
    def labels(self) -> NDArray[np.str_]:
        return np.concatenate([part.labels for part in self.parts])[self.rows]

    def __call__(self, rows: Rows) -> Tensor:
        wanted = self.rows[rows]
        ends = np.cumsum([len(part.pages) for part in self.parts])
        owner = np.searchsorted(ends, wanted, side="right")
        found = None
        for number, part in enumerate(self.parts):
            places = np.flatnonzero(owner == number)
            if len(places):
                first = ends[number] - len(part.pages)
                inputs = part(wanted[places] - first)
                if found is None:
                    found = inputs.new_empty((len(wanted), *inputs.shape[1:]))
                found[torch.from_numpy(places)] = inputs
        if found is None:
            raise ValueError("no rows were asked for")
        return found


def to_images(ink: np.ndarray) -> Tensor:
    """Ink masks (n, h, w) of 0 and 1 as images (n, 1, h, w) with paper 1 and ink 0.

    They stay uint8, a quarter of the bytes, until the network standardizes them on its device.
    """
    return torch.from_numpy(1 - ink).unsqueeze(1)


def stack_views(views: Sequence[np.ndarray]) -> Tensor:
    """Views uint8 (crop, crop) as images (n, 1, crop, crop) in [0, 1]."""
    return torch.from_numpy(np.stack(views)).unsqueeze(1).float() / 255

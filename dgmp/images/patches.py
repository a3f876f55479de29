"""Patches of binary pages (section IV-C.1): where they lie, which are kept, how they are stored."""

import csv
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import cv2
import numpy as np
import pandas as pd

from dgmp.files import whole_file
from dgmp.images.binarization import BACKGROUND, INK
from dgmp.images.edges import edge_map

INDEX_COLUMNS = ("page", "label", "y", "x", "edges")

GridEnd = Literal["inclusive", "exclusive"]


@dataclass(frozen=True)
class PagePatches:
    """The kept patches of one page.

    Attributes:
        bits: uint8 (n, size, ceil(size / 8)), rows packed by `np.packbits`, 1 = ink.
        corners: int (n, 2), top and left of each patch in pixels of the page.
        edges: int (n,), edge pixels in each patch.
        padded: the page was smaller than a patch and was padded with background.
        below_threshold: no patch had enough edges and the one with most was kept.
    """

    bits: np.ndarray
    corners: np.ndarray
    edges: np.ndarray
    padded: bool
    below_threshold: bool


def grid_corners(
    height: int,
    width: int,
    *,
    size: int,
    stride: int,
    margin_right: int = 0,
    end: GridEnd = "inclusive",
) -> np.ndarray:
    """Top-left corners int (n, 2) of the size x size patches that lie wholly on a page.

    Rows and columns start at 0 and advance by `stride`; what is left over at the bottom and at
    the right, less than a stride, belongs to no patch.

    Args:
        height: of the page.
        width: of the page.
        size: side of a patch.
        stride: step of the grid.
        margin_right: strip at the right of the page that no patch reaches into.
        end: with "exclusive" a patch that would end flush with the page, or with the strip, is
            left out, as in the authors' code.

    >>> grid_corners(5, 7, size=3, stride=2).tolist()
    [[0, 0], [0, 2], [0, 4], [2, 0], [2, 2], [2, 4]]
    >>> grid_corners(5, 7, size=3, stride=2, end="exclusive").tolist()
    [[0, 0], [0, 2]]
    """
    beyond = 1 if end == "inclusive" else 0
    tops = np.arange(0, height - size + beyond, stride)
    lefts = np.arange(0, width - size - margin_right + beyond, stride)
    return _pairs(tops, lefts)


def patch_sums(mask: np.ndarray, corners: np.ndarray, size: int) -> np.ndarray:
    """Count the true pixels of a mask, bool (H, W), in each patch, by an integral image."""
    integral = cv2.integral(mask.view(np.uint8))
    top, left = corners[:, 0], corners[:, 1]
    bottom, right = top + size, left + size
    upper = integral[top, right] - integral[top, left]
    lower = integral[bottom, right] - integral[bottom, left]
    return lower - upper


def select_patches(
    page: np.ndarray,
    *,
    size: int,
    stride: int,
    sigma: float,
    threshold: float,
    margin_right: int = 0,
    end: GridEnd = "inclusive",
) -> PagePatches:
    """Keep the patches of the grid that have more than `threshold` Canny edge pixels.

    Edges are found once, on the whole page. Two fallbacks, both marked in the result: a page
    smaller than a patch is padded with background at the bottom and right; a page where no patch
    has enough edges keeps the one with most, then with most ink, of a grid that also ends flush
    with the page, so that writing in the margin is found.

    Args:
        page: binary page uint8 (H, W), ink 0.
        size: side of a patch in pixels.
        stride: step of the grid in pixels.
        sigma: deviation of the Gaussian before the edge filter, in pixels.
        threshold: edge pixels that a kept patch exceeds.
        margin_right: see `grid_corners`.
        end: see `grid_corners`.

    Raises:
        ValueError: the page has no ink.
    """
    padded = min(page.shape) < size
    if padded:
        below, beside = (max(0, size - length) for length in page.shape)
        page = np.pad(page, ((0, below), (0, beside)), constant_values=BACKGROUND)
    ink = page == INK
    if not ink.any():
        raise ValueError(f"a page of {page.shape[0]} x {page.shape[1]} pixels has no ink")
    edges = edge_map(page, sigma=sigma)
    corners = grid_corners(
        *page.shape, size=size, stride=stride, margin_right=margin_right, end=end
    )
    sums = patch_sums(edges, corners, size)
    kept = np.flatnonzero(sums > threshold)
    below_threshold = len(kept) == 0
    if below_threshold:
        flush = [np.union1d(corners[:, axis], page.shape[axis] - size) for axis in (0, 1)]
        corners = _pairs(*flush)
        sums = patch_sums(edges, corners, size)
        kept = np.lexsort((patch_sums(ink, corners, size), sums))[-1:]
    corners, sums = corners[kept], sums[kept]
    bits = np.stack([np.packbits(ink[y : y + size, x : x + size], axis=-1) for y, x in corners])
    return PagePatches(bits, corners, sums, padded, below_threshold)


def _pairs(tops: np.ndarray, lefts: np.ndarray) -> np.ndarray:
    return np.stack(np.meshgrid(tops, lefts, indexing="ij"), axis=-1).reshape(-1, 2)


class PatchWriter:
    """Write patches page by page into one .npy file and an index .csv, one row per patch.

    Used as a context manager; the two files appear when it ends without an error. Memory stays
    at one page.
    """

    def __init__(self, bits_file: Path, index_file: Path, size: int) -> None:
        """Write patches of size x size pixels to these two files."""
        self._files = (bits_file, index_file)
        self._shape = (size, (size + 7) // 8)
        self._count = 0
        self._whole = ExitStack()

    def __enter__(self) -> Self:
        """Open temporary files beside the final ones."""
        bits, index = (self._whole.enter_context(whole_file(file)) for file in self._files)
        self._bits = open(bits, "wb")
        self._write_header()
        self._index = open(index, "w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._index, lineterminator="\n")
        self._rows.writerow(INDEX_COLUMNS)
        return self

    def add(self, page: str, label: str, patches: PagePatches) -> None:
        """Append the patches of one page."""
        self._bits.write(patches.bits.tobytes())
        for (y, x), edges in zip(patches.corners.tolist(), patches.edges.tolist(), strict=True):
            self._rows.writerow((page, label, y, x, edges))
        self._count += len(patches.bits)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put the files in place, or remove them after an error."""
        # NumPy pads the header so that a larger first axis fits in its place.
        self._bits.seek(0)
        self._write_header()
        self._bits.close()
        self._index.close()
        self._whole.__exit__(kind, error, trace)

    def _write_header(self) -> None:
        header = {"descr": "|u1", "fortran_order": False, "shape": (self._count, *self._shape)}
        np.lib.format.write_array_header_1_0(self._bits, header)


class PatchStore:
    """The patches of one split, read on demand from their memory-mapped file.

    Attributes:
        pages: str (n,), the page of each patch.
        labels: str (n,), its label.
        corners: int (n, 2), its top and left on the page.
        edges: int (n,), its edge pixels.
        size: side of a patch in pixels.
    """

    def __init__(self, bits_file: Path, index_file: Path) -> None:
        """Open the two files of a `PatchWriter`.

        Raises:
            ValueError: one is missing, or they do not belong together.
        """
        for file in (bits_file, index_file):
            if not file.is_file():
                raise ValueError(f"{file} is missing: run the stage patches")
        index = pd.read_csv(index_file, dtype={"page": str, "label": str}, keep_default_na=False)
        self._bits = np.load(bits_file, mmap_mode="r" if len(index) else None)
        if len(index) != len(self._bits):
            raise ValueError(
                f"{bits_file} holds {len(self._bits)} patches but {index_file} lists "
                f"{len(index)}: run the stage patches again"
            )
        self.size: int = self._bits.shape[1]
        self.pages = index.page.to_numpy(dtype=str)
        self.labels = index.label.to_numpy(dtype=str)
        self.corners = index[["y", "x"]].to_numpy(dtype=np.int64)
        self.edges = index.edges.to_numpy(dtype=np.int64)

    def __len__(self) -> int:
        """Count the patches."""
        return len(self._bits)

    def read(self, indices: Sequence[int] | np.ndarray | slice) -> np.ndarray:
        """Read patches as uint8 (n, size, size), 1 = ink, 0 = background.

        Raises:
            IndexError: an index is out of range.
        """
        return np.unpackbits(self._bits[indices], axis=-1, count=self.size)

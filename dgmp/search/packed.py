"""The local descriptors of many pages in one file, read page by page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from dgmp.encoding.local_descriptors import root_sift
from dgmp.files import whole_file


class Places(NamedTuple):
    """The local descriptors of a page: see `DescribedScan`."""

    sift: np.ndarray
    positions: np.ndarray
    squares: np.ndarray

    @property
    def vectors(self) -> np.ndarray:
        """RootSIFT float32 (n, 128)."""
        return root_sift(self.sift)


def write_packed(file: Path, pages: Iterable[Places]) -> None:
    """Write the local descriptors of pages; the file appears whole or not at all."""
    listed = [Places(*page) for page in pages]
    counts = [len(page.sift) for page in listed]
    empty = Places(np.empty((0, 128), np.uint8), np.empty((0, 2), np.float32),
                   np.empty(0, np.float32))  # fmt: skip
    arrays = {
        name: np.concatenate([getattr(page, name) for page in (*listed, empty)])
        for name in Places._fields
    }
    arrays["starts"] = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    with whole_file(file) as part:
        save_file(arrays, part)


class Packed(Sequence[Places]):
    """What `write_packed` wrote, read on demand."""

    def __init__(self, file: Path) -> None:
        """Open the file.

        Raises:
            ValueError: it is missing or damaged.
        """
        try:
            self._packed = safe_open(file, framework="numpy")
            self._starts = self._packed.get_tensor("starts")
        except (OSError, SafetensorError) as error:
            raise ValueError(f"{file} cannot be read ({error}): make the index again") from None

    def __len__(self) -> int:
        """Count the pages."""
        return len(self._starts) - 1

    def __getitem__(self, row: int) -> Places:  # type: ignore[override]
        """The local descriptors of a page."""
        row = range(len(self))[row]
        start, stop = int(self._starts[row]), int(self._starts[row + 1])
        # safetensors refuses an empty slice at the end.
        return Places(
            *(
                self._packed.get_slice(name)[start:stop]
                if start < stop
                else self._packed.get_tensor(name)[:0]
                for name in Places._fields
            )
        )

"""The local descriptors of many pages in one file, read page by page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import overload

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from dgmp.encoding.local_descriptors import WIDTH, DescribedPage
from dgmp.files import whole_file

NAMES = tuple(field.name for field in fields(DescribedPage))
EMPTY = DescribedPage(
    np.empty((0, WIDTH), np.uint8), np.empty((0, 2), np.float32), np.empty(0, np.float32)
)


def write_packed(file: Path, pages: Iterable[DescribedPage]) -> None:
    """Write the local descriptors of pages; the file appears whole or not at all."""
    listed = [*pages, EMPTY]
    arrays = {name: np.concatenate([getattr(page, name) for page in listed]) for name in NAMES}
    counts = [len(page.sift) for page in listed[:-1]]
    arrays["starts"] = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    with whole_file(file) as part:
        save_file(arrays, part)


class Packed(Sequence[DescribedPage]):
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

    @overload
    def __getitem__(self, row: int) -> DescribedPage: ...

    @overload
    def __getitem__(self, row: slice) -> list[DescribedPage]: ...

    def __getitem__(self, row: int | slice) -> DescribedPage | list[DescribedPage]:
        """The local descriptors of a page, or of several."""
        if isinstance(row, slice):
            return [self[one] for one in range(len(self))[row]]
        row = range(len(self))[row]
        start, stop = int(self._starts[row]), int(self._starts[row + 1])
        if start == stop:  # safetensors refuses an empty slice at the end
            return EMPTY
        return DescribedPage(*(self._packed.get_slice(name)[start:stop] for name in NAMES))

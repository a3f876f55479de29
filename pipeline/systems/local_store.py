"""Local descriptors of all pages of a task in one packed file, read page by page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from dgmp.encoding.local_descriptors import root_sift
from pipeline.shared.page_lists import Page, read_pages, write_pages

PACKED, PAGES = "descriptors.safetensors", "pages.csv"
Floats = NDArray[np.float32]


def write_store(
    folder: Path, pages: Sequence[Page], described: Iterable[dict[str, NDArray[np.generic]]]
) -> NDArray[np.intp]:
    """Write the local descriptors of pages, and their list.

    Args:
        folder: It exists already.
        pages: One for each of `described`.
        described: Of each page `sift` uint8 (n, 128) or `vectors` (n, d), `positions` (n, 2) and
            `sizes` (n,) in pixels.

    Returns:
        Number of local descriptors of each page.
    """
    parts: dict[str, list[NDArray[np.generic]]] = {}
    for one in described:
        for name, array in one.items():
            parts.setdefault(name, []).append(array)
    counts = np.zeros(len(pages), dtype=np.intp)
    arrays = {}
    while parts:  # one after the other, so that the memory of its pieces is free again
        name, pieces = parts.popitem()
        counts[:] = [len(piece) for piece in pieces]
        arrays[name] = np.concatenate(pieces)
    arrays["starts"] = np.concatenate([[0], counts.cumsum()]).astype(np.int64)
    save_file(arrays, folder / PACKED)
    write_pages(folder / PAGES, pages)
    return counts


class LocalStore(Sequence[Floats]):
    """The local descriptors of some pages of a task, float32 (n, d) each, read on demand.

    Attributes:
        pages: The pages, in the order of the sequence.
    """

    def __init__(self, folder: Path, splits: Sequence[str]) -> None:
        """Open the file that a stage packed.

        Raises:
            ValueError: it is missing or damaged.
        """
        listed = read_pages(folder / PAGES)
        try:
            self._packed = safe_open(folder / PACKED, framework="numpy")
            self._starts = self._packed.get_tensor("starts")
        except (OSError, SafetensorError) as error:
            raise ValueError(
                f"{folder / PACKED} cannot be read ({error}): run `dvc repro --force --single-item "
                f"{folder.parent.name}`"
            ) from None
        self._sift = "sift" in self._packed.keys()  # noqa: SIM118 - not a dict
        self._rows = [row for row, page in enumerate(listed) if page.split in splits]
        self.pages = [listed[row] for row in self._rows]

    def __len__(self) -> int:
        """Count the pages."""
        return len(self._rows)

    def __getitem__(self, index: int) -> Floats:  # type: ignore[override]
        """The descriptors of a page: RootSIFT, or the vectors as they were packed."""
        if self._sift:
            return root_sift(self.read("sift", index))
        return self.read("vectors", index).astype(np.float32)

    def __iter__(self) -> Iterator[Floats]:
        """Yield page after page."""
        return (self[index] for index in range(len(self)))

    def read(self, name: str, index: int) -> NDArray[np.generic]:
        """An array of a page, as `write_store` got it."""
        row = self._rows[index]
        start, stop = int(self._starts[row]), int(self._starts[row + 1])
        # safetensors refuses an empty slice at the end.
        found: NDArray[np.generic] = (
            self._packed.get_slice(name)[start:stop]
            if start < stop
            else self._packed.get_tensor(name)[:0]
        )
        return found

    @property
    def counts(self) -> NDArray[np.intp]:
        """Number of local descriptors of each page."""
        return np.diff(self._starts)[self._rows].astype(np.intp)

"""Grey pages of different sizes in one packed file, read on demand by memory map."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

import cv2
import numpy as np
import pandas as pd

from dgmp.files import whole_file

INDEX_COLUMNS = ["page", "label", "height", "width"]


def limit_side(page: np.ndarray, side: int | None) -> np.ndarray:
    """Shrink a page, by averaging areas, until its shorter side is at most `side` pixels."""
    if side is None or min(page.shape) <= side:
        return page
    scale = side / min(page.shape)
    size = (round(page.shape[1] * scale), round(page.shape[0] * scale))
    return cv2.resize(page, size, interpolation=cv2.INTER_AREA)


def write_pages(
    pixels_file: Path, index_file: Path, pages: Iterable[tuple[str, str, np.ndarray]]
) -> int:
    """Write (name, label, page uint8 (H, W)) one after the other; returns how many.

    The pixels go to one raw file, row by row, and one row a page to the index. Both files appear
    when the last page is written.
    """
    rows = []
    with whole_file(pixels_file) as pixels_part, whole_file(index_file) as index_part:
        with open(pixels_part, "wb") as pixels:
            for name, label, page in pages:
                pixels.write(np.ascontiguousarray(page).tobytes())
                rows.append((name, label, *page.shape))
        pd.DataFrame(rows, columns=INDEX_COLUMNS).to_csv(index_part, index=False)
    return len(rows)


class PageStore(Sequence[np.ndarray]):
    """The pages of one split; an item is a page uint8 (H, W).

    Attributes:
        pages: str (n,), names.
        labels: str (n,), labels.
    """

    def __init__(self, pixels_file: Path, index_file: Path) -> None:
        """Open the two files of `write_pages`.

        Raises:
            ValueError: one is missing, or they do not belong together.
        """
        for file in (pixels_file, index_file):
            if not file.is_file():
                raise ValueError(f"{file} is missing: run the stage patches")
        index = pd.read_csv(index_file, dtype={"page": str, "label": str}, keep_default_na=False)
        self.pages = index.page.to_numpy(dtype=str)
        self.labels = index.label.to_numpy(dtype=str)
        self._shapes = index[["height", "width"]].to_numpy(dtype=np.int64)
        self._ends = self._shapes.prod(axis=1).cumsum()
        total = int(self._ends[-1]) if len(self._ends) else 0
        if pixels_file.stat().st_size != total:
            raise ValueError(
                f"{pixels_file} does not hold the pages that {index_file} lists: run the stage "
                "patches again"
            )
        self._pixels = (
            np.memmap(pixels_file, dtype=np.uint8, mode="r") if total else np.empty(0, np.uint8)
        )

    def __len__(self) -> int:
        return len(self.pages)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | list[np.ndarray]:
        """A page, or a list of pages for a slice."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        height, width = self._shapes[index]
        end = self._ends[index]
        return np.asarray(self._pixels[end - height * width : end]).reshape(height, width)

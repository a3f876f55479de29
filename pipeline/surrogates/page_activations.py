"""Activations of the patches of each page by the trained network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from dgmp.encoding.surrogates.keypoint_patches import cut_around
from dgmp.encoding.surrogates.network import SurrogateNet, activations
from dgmp.images.reading import read_gray
from pipeline.shared.settings.surrogates import Surrogates
from pipeline.systems.local_store import LocalStore


def page_activations(
    net: SurrogateNet, store: LocalStore, binary: Path, settings: Surrogates
) -> Iterator[dict[str, NDArray[np.generic]]]:
    """Of each page `vectors` float16 (n, 4 width), `positions` and `sizes`, for `write_store`.

    Of a page with more than `per_page` keypoints those are taken that lie evenly in the order of
    the store, which is that of their strength.
    """
    for number, page in enumerate(
        tqdm(store.pages, desc="activations", unit=" pages", disable=None)
    ):
        count = int(store.counts[number])
        rows = np.linspace(0, count - 1, min(count, settings.per_page)).round().astype(int)
        positions = store.read("positions", number)[rows]
        patches = cut_around(read_gray(binary / page.file), positions, settings.size)
        yield {
            "vectors": activations(net, patches).astype(np.float16),
            "positions": positions,
            "sizes": store.read("sizes", number)[rows],
        }

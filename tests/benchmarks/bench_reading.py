"""Random patches from the packed store, beside decoding their pages."""

from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch

from dgmp.images.patches import PatchStore
from dgmp.images.reading import read_gray
from dgmp.learning.inputs import to_images
from tests.benchmarks.bench_pooling import milliseconds, ratio

BATCH = 56


def report(store: PatchStore, folder: Path, rounds: int) -> None:
    """Print the section."""
    rng = np.random.default_rng(0)
    size = (folder / "train.npy").stat().st_size

    def draw() -> np.ndarray:
        return rng.integers(len(store), size=BATCH)

    def decode() -> np.ndarray:
        crops = []
        for page, (top, left) in ((store.pages[i], store.corners[i]) for i in draw()):
            image = read_gray(folder / page)
            crops.append(image[top : top + store.size, left : left + store.size])
        return np.stack(crops)

    ways: dict[str, Callable[[], object]] = {
        "page decoded for every crop": decode,
        "packed store": lambda: store.read(draw()),
        "packed store, as tensor uint8 (the training's batch)": lambda: to_images(
            store.read(draw())
        ),
        "packed store, as tensor float32": lambda: to_images(store.read(draw())).float(),
        "floor: as many bytes copied": _copy(store.size, torch.uint8),
        "floor of float32": _copy(store.size, torch.float32),
    }
    times = milliseconds(list(ways.values()), rounds, least=0.1)
    print(
        f"\n## Random reads\n\nBatches of {BATCH} patches of {store.size}×{store.size} pixels, "
        f"drawn at random from {len(store)} in a file of {size / 1e6:.0f} MB.\n\n"
        "| way | ms a batch | patches/s | decoded / this |\n|:--|--:|--:|--:|"
    )
    for way, found in zip(ways, times, strict=True):
        print(
            f"| {way} | {median(found):.2f} | {1000 * BATCH / median(found):.0f} "
            f"| {ratio(times[0], found):.0f} |"
        )
    print(
        "\nWhat a batch must cost: 1.1 MB read from the map, 9 MB of pixels written. The network "
        "takes the pixels as\nbytes and makes them numbers on its own device: as float32 they "
        "would be 36 MB, made here and sent there."
    )


def _copy(size: int, dtype: torch.dtype) -> Callable[[], object]:
    source = torch.zeros(BATCH, 1, size, size, dtype=dtype)
    return source.clone

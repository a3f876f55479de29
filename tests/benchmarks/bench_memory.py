"""Memory of a process that trains on as many patches as ICDAR17-WI has at the very most."""

import multiprocessing
import time
from pathlib import Path

import numpy as np
import pandas as pd

from dgmp.images.patches import PagePatches, PatchStore, PatchWriter, grid_corners
from dgmp.learning.writer_retrieval import WriterBatches
from tests.benchmarks.bench_pooling import resident

WRITERS, PAGES = 394, 3
A4 = (3508, 2480)
"""Height and width at 300 dpi. The sizes of the real pages are not known here."""
SIZE, STRIDE = 400, 256
BATCHES = 200


def report(folder: Path) -> None:
    """Print the section."""
    corners = grid_corners(*A4, size=SIZE, stride=STRIDE)
    write_store(folder, corners)
    # A process of its own, so that nothing else is counted.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        rows, seconds, opened, batches, whole = pool.apply(measure, (folder,))
    file = (folder / "all.npy").stat().st_size
    print(
        f"\n## Memory\n\nThe training set of ICDAR17-WI, {WRITERS}×{PAGES} pages, as if each "
        f"were written all over on A4 at 300 dpi: {len(corners)} patches\na page, {rows} in all, "
        f"random bits, {file / 1e9:.2f} GB on disk. Resident memory of a process that has "
        f"PyTorch\nloaded and opens the store (in {seconds:.2f} s), in MB:\n\n"
        "| | own | pages of the mapped file | together |\n|:--|--:|--:|--:|"
    )
    moments = {
        "store opened": opened,
        f"after {BATCHES} random P×K batches": batches,
        "after every patch was read once": whole,
    }
    for moment, (own, mapped) in moments.items():
        print(f"| {moment} | {own / 1e6:.0f} | {mapped / 1e6:.0f} | {(own + mapped) / 1e6:.0f} |")
    print("\nThe system takes the mapped pages back where memory is short; processes share them.")


def write_store(folder: Path, corners: np.ndarray) -> None:
    """Random patches, the same number on every page."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 256, (len(corners), SIZE, SIZE // 8), dtype=np.uint8)
    edges = np.full(len(corners), 9000)
    with PatchWriter(folder / "all.npy", folder / "all.csv", SIZE) as writer:
        for writer_id in range(WRITERS):
            for page in range(PAGES):
                patches = PagePatches(np.roll(bits, writer_id), corners, edges, False, False)
                name = f"writers/{writer_id}-IMG_MAX_{writer_id + 1000 * page}.png"
                writer.add(name, str(writer_id), patches)


def measure(folder: Path) -> tuple[int, float, tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Patches, seconds to open, and memory: when opened, after batches, after all was read."""
    # The first table read loads parts of pandas, which is no cost of this index.
    pd.DataFrame({"a": ["b"]}).to_csv(folder / "small.csv")
    pd.read_csv(folder / "small.csv")
    start = time.perf_counter()
    store = PatchStore(folder / "all.npy", folder / "all.csv")
    seconds = time.perf_counter() - start
    opened = memory()
    batches = WriterBatches(store, 14, 4, BATCHES, np.random.default_rng(0))
    for _ in batches():
        pass
    after = memory()
    for first in range(0, len(store), 64):
        store.read(slice(first, first + 64))
    return len(store), seconds, opened, after, memory()


def memory() -> tuple[int, int]:
    """Bytes of this process that are its own, and of mapped files."""
    return resident("RssAnon"), resident("RssFile")

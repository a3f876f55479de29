"""Pages per second of the patches stage with the paper's settings.

python -m tests.benchmarks.bench_patches [folder of pages]

Without a folder it makes 1-bit pages of 2000 x 2400 pixels.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

# Before the imports, so that the time is that of the workers and not of hidden threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np

from dgmp.images.binarization import binarize
from dgmp.images.edges import edge_map
from dgmp.images.patches import grid_corners, patch_sums, select_patches
from dgmp.images.reading import is_binary, read_gray, write_bilevel
from pipeline.pages import Page
from pipeline.params import Patches
from pipeline.patches import cut_pages
from tests.benchmarks.machine import processor

SETTINGS = Patches(size=400, stride=256, sigma=3, threshold=2000)
HEIGHT, WIDTH = 2400, 2000
Result = TypeVar("Result")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", nargs="?", type=Path)
    arguments.add_argument("--pages", type=int, default=60, help="pages at most")
    arguments.add_argument("--workers", type=int, default=2)
    options = arguments.parse_args()
    print(f"{processor()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        folder = options.folder or make_pages(scratch / "pages", options.pages)
        found = (file for file in folder.iterdir() if file.suffix in {".jpg", ".png", ".tif"})
        files = sorted(found)[: options.pages]
        whole_stage(folder, files, scratch, options.workers)
        time_shares(files[:: max(1, len(files) // 10)])


def make_pages(folder: Path, count: int) -> Path:
    """Write bilevel pages of lines of words, with a margin, about a fifth of them ink."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        page = np.full((HEIGHT, WIDTH), 255, np.uint8)
        for baseline in range(250, HEIGHT - 200, 64):
            x = 200
            while x < WIDTH - 400:
                word = "".join(rng.choice(list("abcdefghilmnopqrstuv"), rng.integers(2, 9)))
                face = cv2.FONT_HERSHEY_TRIPLEX
                cv2.putText(page, word, (x, baseline), face, 1.5, (0,), 4)
                x += cv2.getTextSize(word, face, 1.5, 4)[0][0] + 25
        write_bilevel(folder / f"{number:03d}.png", binarize(page, "otsu"))
    return folder


def whole_stage(folder: Path, files: list[Path], scratch: Path, workers: int) -> None:
    pages = [Page(file.name, "", "train") for file in files]
    start = time.perf_counter()
    counts = cut_pages(folder, pages, scratch, SETTINGS, workers=workers)["train"]
    seconds = time.perf_counter() - start
    pixels = np.mean([read_gray(file).size for file in files]) / 1e6
    print(
        f"{len(files)} pages of {pixels:.1f} megapixels, {counts.patches} patches, "
        f"{workers} workers: {len(files) / seconds:.1f} pages/s, "
        f"{len(files) * pixels / seconds:.0f} megapixels/s"
    )


def time_shares(files: list[Path]) -> None:
    """Print milliseconds of processor time a page of each step, in one process and thread."""
    cv2.setNumThreads(1)
    milliseconds: dict[str, float] = {}

    def timed(step: str, work: Callable[[], Result]) -> Result:
        start = time.process_time()
        result = work()
        milliseconds[step] = milliseconds.get(step, 0) + 1000 * (time.process_time() - start)
        return result

    size, stride, sigma, threshold = SETTINGS.model_dump().values()
    for file in files:
        page = timed("read", lambda file=file: read_gray(file))
        timed("check", lambda page=page: is_binary(page))
        edges = timed("edges", lambda page=page: edge_map(page, sigma=sigma))
        corners = grid_corners(*page.shape, size=size, stride=stride)
        timed("sums", lambda edges=edges, corners=corners: patch_sums(edges, corners, size))
        timed(
            "edges, sums, selection and packing",
            lambda page=page: select_patches(
                page, size=size, stride=stride, sigma=sigma, threshold=threshold
            ),
        )
    for step, total in milliseconds.items():
        print(f"{total / len(files):7.1f} ms/page  {step}")


if __name__ == "__main__":
    main()

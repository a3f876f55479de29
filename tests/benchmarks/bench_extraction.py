"""Cutting patches out of pages, beside the straightforward ways."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from skimage.feature import canny

from dgmp.images.edges import edge_map
from dgmp.images.patches import PatchStore, grid_corners, select_patches
from dgmp.images.reading import read_gray
from pipeline.preparation.packing import cut_pages
from pipeline.shared.page_lists import Page
from pipeline.shared.parallel import in_parallel
from pipeline.shared.settings.params import load_params
from tests.benchmarks.bench_pooling import milliseconds, ratio
from tests.benchmarks.written_pages import HEIGHT, WIDTH, write_binary_pages

SETTINGS = load_params(Path(__file__).parents[2] / "params.yaml").profiles.paper.patches
CORNERS = grid_corners(HEIGHT, WIDTH, size=SETTINGS.size, stride=SETTINGS.stride)
PAGES, COPIES = 24, 10
"""Distinct pages, and how often each is in the set that is cut as a whole."""


def report(folder: Path, rounds: int) -> PatchStore:
    """Print the section; the store of the PAGES x COPIES pages is used by the next."""
    files = write_binary_pages(folder / "pages", PAGES)
    report_ratios(files[:2], folder, rounds)
    store = report_whole_stage(files, folder)
    report_floor(files[0], rounds)
    return store


def decode_every_crop(file: Path) -> int:
    """scikit-image's Canny on each patch, for which the page is decoded anew; patches kept."""
    kept = 0
    for top, left in CORNERS:
        patch = read_gray(file)[top : top + SETTINGS.size, left : left + SETTINGS.size]
        kept += canny(patch, sigma=SETTINGS.sigma).sum() > SETTINGS.threshold
    return kept


def decode_once(file: Path, folder: Path | None) -> None:
    """The authors' way: as before, of a page decoded once; kept patches become PNG files."""
    page = read_gray(file)
    for number, (top, left) in enumerate(CORNERS):
        patch = page[top : top + SETTINGS.size, left : left + SETTINGS.size]
        kept = canny(patch, sigma=SETTINGS.sigma).sum() > SETTINGS.threshold
        if kept and folder:
            cv2.imwrite(str(folder / f"{number}.png"), patch)


def report_ratios(files: list[Path], folder: Path, rounds: int) -> None:
    """A row for each way; ours writes the packed file too."""
    # More pages for ours: opening the packed files is no cost of a page.
    pages = [Page(str(file), "", "train") for file in files * COPIES]
    (folder / "png").mkdir()
    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: cut_pages(folder, pages, folder, SETTINGS, workers=1),
        "Canny on each patch, page decoded for every crop": lambda: [
            decode_every_crop(file) for file in files
        ],
        "Canny on each patch, page decoded once, patches written as PNG": lambda: [
            decode_once(file, folder / "png") for file in files
        ],
        "Canny on each patch, page decoded once, nothing written": lambda: [
            decode_once(file, None) for file in files
        ],
    }
    times = milliseconds(list(ways.values()), rounds, least=0)
    times[0] = [found / COPIES for found in times[0]]
    print(
        f"\n## Patch extraction\n\nOne-bit PNG pages of {WIDTH}×{HEIGHT} pixels, {len(CORNERS)} "
        f"patches of {SETTINGS.size}×{SETTINGS.size} each, of which those with more than\n"
        f"{SETTINGS.threshold:g} edge pixels are kept. Canny on each patch is scikit-image's.\n\n"
        "| way | ms a page | pages/s | time / ours |\n|:--|--:|--:|--:|"
    )
    for way, found in zip(ways, times, strict=True):
        page = median(found) / len(files)
        print(f"| {way} | {page:.1f} | {1000 / page:.1f} | {ratio(found, times[0]):.1f} |")


def report_whole_stage(files: list[Path], folder: Path) -> PatchStore:
    """Pages a second on all cores, the start of the processes included."""
    cores = os.cpu_count() or 1
    pages = [Page(str(file), file.stem, "train") for file in files * COPIES]
    start = time.perf_counter()
    cut_pages(folder, pages, folder, SETTINGS, workers=cores)
    ours = len(pages) / (time.perf_counter() - start)
    start = time.perf_counter()
    list(in_parallel(decode_every_crop, files, workers=cores, title="decoded for every crop"))
    straightforward = len(files) / (time.perf_counter() - start)
    store = PatchStore(folder / "train.npy", folder / "train.csv")
    print(
        f"\nOn {cores} cores with the start of their processes: ours {ours:.1f} pages/s "
        f"({len(pages)} pages, {len(store)} patches), decoded for every\ncrop "
        f"{straightforward:.2f} pages/s ({len(files)} pages)."
    )
    return store


def report_floor(file: Path, rounds: int) -> None:
    """What a page must cost: its bytes at the speed of a copy, and three calls of OpenCV."""
    page = read_gray(file)
    data = np.fromfile(file, np.uint8)
    side = 2 * int(4 * SETTINGS.sigma + 0.5) + 1
    smooth = cv2.GaussianBlur(page, (side, side), SETTINGS.sigma)
    target = np.empty_like(page)
    parts: dict[str, Callable[[], object]] = {
        "copy": lambda: np.copyto(target, page),
        "decode": lambda: cv2.imdecode(data, cv2.IMREAD_UNCHANGED),
        "Gaussian": lambda: cv2.GaussianBlur(page, (side, side), SETTINGS.sigma),
        "Canny": lambda: cv2.Canny(smooth, 25.5, 51, L2gradient=True),
        "edge map": lambda: edge_map(page, sigma=SETTINGS.sigma),
        "selection": lambda: select_patches(
            page,
            size=SETTINGS.size,
            stride=SETTINGS.stride,
            sigma=SETTINGS.sigma,
            threshold=SETTINGS.threshold,
        ),
        "reading": lambda: read_gray(file),
    }
    times = dict(zip(parts, milliseconds(list(parts.values()), rounds, least=0.1), strict=True))
    ms = {part: median(found) for part, found in times.items()}
    calls = [
        sum(part) for part in zip(*(times[p] for p in ("decode", "Gaussian", "Canny")), strict=True)
    ]
    ours = [sum(part) for part in zip(*(times[p] for p in ("reading", "selection")), strict=True)]
    print(
        f"\nFloor. By bytes: decoding, smoothing, gradient, edges and their sums each read and "
        f"write the page's\n{page.size / 1e6:.1f} MB once, five times a copy's {ms['copy']:.2f} "
        f"ms. By operations: the Gaussian of {side} taps alone is {2 * side} products a pixel\n"
        f"({2 * side * page.size / 1e6:.0f} million). By calls that any way needs: OpenCV's "
        f"decoder {ms['decode']:.1f} ms, Gaussian {ms['Gaussian']:.1f} ms, Canny "
        f"{ms['Canny']:.1f} ms.\nReading and selecting take {ratio(ours, calls):.2f} times as "
        f"long as these three: reading {ms['reading']:.1f} ms, edge map\n{ms['edge map']:.1f} "
        f"ms, sums and packing {ms['selection'] - ms['edge map']:.1f} ms."
    )

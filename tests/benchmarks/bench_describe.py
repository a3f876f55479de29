"""Local descriptors of synthetic pages, in one process and in two."""

from __future__ import annotations

import multiprocessing
import time

import cv2
import numpy as np
from tqdm import tqdm

from dgmp.encoding import LocalDescriptors
from dgmp.encoding.local_descriptors import FIRST_BLUR, LAYERS
from dgmp.scribes import SCRIPT_TYPES, draw_scribe, write_page

ENLARGED = (1.0, 3.0)
"""How many times the pages of HEIGHT x WIDTH are enlarged."""
HEIGHT, WIDTH, PITCH = 480, 416, 32.0
PAGES = 8
PROCESSES = 2


def synthetic_pages(count: int, times: float) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    pages = []
    for number in range(count):
        scribe = draw_scribe(list(SCRIPT_TYPES)[number % len(SCRIPT_TYPES)], rng)
        page = write_page(scribe, rng, height=HEIGHT, width=WIDTH, line_pitch=PITCH)
        pages.append(cv2.resize(page, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC))
    return pages


def describe(page: np.ndarray) -> int:
    """Number of the local descriptors."""
    return len(LocalDescriptors().describe(page).vectors)


def sift_alone(page: np.ndarray) -> int:
    """The same detector of OpenCV, all it finds described."""
    settings = LocalDescriptors()
    sift = cv2.SIFT.create(
        contrastThreshold=settings.contrast,
        edgeThreshold=settings.edge,
        nOctaveLayers=LAYERS,
        sigma=FIRST_BLUR,
        enable_precise_upscale=True,
    )
    return len(sift.detectAndCompute(page, None)[0])


def report(rounds: int) -> None:
    """Print the section."""
    print(
        f"\n## Describing pages\n\nPages of `dgmp.scribes`, {PAGES} a size, the larger ones "
        "enlarged. Ours: `LocalDescriptors`, upright, at most\n"
        f"{LocalDescriptors().most:,} a page. OpenCV: `detectAndCompute` of the same `cv2.SIFT`, "
        "which describes all it finds, with orientations.\nOpenCV with one thread in each "
        "process.\n\n"
        "| page | keypoints of SIFT | ours | OpenCV, pages/s | ours, pages/s | ours / OpenCV, time "
        f"| {PROCESSES} processes, pages/s | {PROCESSES} / 1 |\n|:--|" + "--:|" * 7
    )
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    context = multiprocessing.get_context("spawn")
    with context.Pool(PROCESSES, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        for times in tqdm(ENLARGED, desc="describe", disable=None):
            pages = synthetic_pages(PAGES, times)
            pool.map(describe, pages, chunksize=1)  # the processes are started
            found = []
            for _ in range(rounds):
                clocks = [time.perf_counter()]
                theirs = [sift_alone(page) for page in pages]
                clocks.append(time.perf_counter())
                own = [describe(page) for page in pages]
                clocks.append(time.perf_counter())
                pool.map(describe, pages, chunksize=1)
                clocks.append(time.perf_counter())
                found.append(np.diff(clocks))
            alone, ours, parallel = np.array(found).T
            height, width = pages[0].shape
            cells = [
                f"{height:,}×{width:,}",
                f"{np.mean(theirs):,.0f}",
                f"{np.mean(own):,.0f}",
                f"{PAGES / np.median(alone):.1f}",
                f"{PAGES / np.median(ours):.1f}",
                f"{np.median(ours / alone):.2f}",
                f"{PAGES / np.median(parallel):.1f}",
                f"{np.median(ours / parallel):.2f}",
            ]
            print("| " + " | ".join(cells) + " |", flush=True)
    cv2.setNumThreads(before)

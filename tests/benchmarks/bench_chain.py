"""Encoding of a set of pages and what follows it: time and peak memory."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.svm import LinearSVC
from tqdm import tqdm

from dgmp.encoding import VLAD, ExemplarSVM, PowerNorm, Whitening, cosine_distances
from dgmp.metrics import evaluate_ranking
from pipeline.shared.page_lists import Page
from pipeline.systems.local_store import LocalStore, write_store
from tests.benchmarks.bench_metrics import peak
from tests.benchmarks.made_up_descriptors import PAGES_A_WRITER, local_descriptors, page_descriptors

COUNTS = {"train": 475, "test": 307}
"""Pages of the profile manuscripts."""
DESCRIPTORS = 2000
CENTRES = 100
COMPONENTS, C = 400, 10.0
SVM_WIDTH = 6400
SVM_COMPARED = 5
LARGE, LARGE_TRAINING, LARGE_WIDTH = 3600, 1182, 12_800
"""Test pages and training pages of ICDAR17-WI, and entries of a descriptor of 100 centres."""
SOLVERS = ("randomized", "full")

Seconds = dict[str, float]


def report(folder: Path, rounds: int) -> None:
    """Print the three sections."""
    pages = sum(COUNTS.values())
    write_set(folder)
    seconds, top = alone(encode_set, folder)
    print(
        f"\n## Encoding of {pages} pages\n\n{COUNTS['train']} for training, {COUNTS['test']} for "
        f"testing, {DESCRIPTORS:,} made-up descriptors of 128 entries each, {CENTRES} centres, "
        f"generalized\nmax pooling; whitening to {COMPONENTS} components; ranking of the test "
        "pages by the cosine distance, with the metrics.\nOne run in a process of its own, read "
        "from a file of the stage `describe`.\n\n| step | seconds |\n|:--|--:|"
    )
    for step, value in (seconds | {"together": sum(seconds.values())}).items():
        print(f"| {step} | {value:.1f} |")
    print(f"\nPeak memory of the process: {top:,.0f} MB.", flush=True)
    report_svm(rounds)
    report_large()


def alone(work: Callable[..., Seconds], *arguments: Any) -> tuple[Seconds, float]:
    """Seconds of the steps, and peak memory in megabytes, of a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_with_peak, (work, *arguments))


def _with_peak(work: Callable[..., Seconds], *arguments: Any) -> tuple[Seconds, float]:
    return work(*arguments), peak()


def write_set(folder: Path) -> None:
    """Made-up pages as the stage `describe` packs them: bytes whose roots are the vectors."""
    folder.mkdir()
    splits = [split for split, count in COUNTS.items() for _ in range(count)]
    pages = [
        Page(f"{number}.png", str(number // PAGES_A_WRITER), split)
        for number, split in enumerate(splits)
    ]

    def described() -> Iterator[dict[str, np.ndarray]]:
        for vectors in local_descriptors(len(pages), DESCRIPTORS, 128):
            sift = np.clip(np.abs(vectors) * 600, 1, 255).astype(np.uint8)
            yield {"sift": sift}

    write_store(folder, pages, described())


def encode_set(folder: Path) -> Seconds:
    train, test = (LocalStore(folder, (split,)) for split in COUNTS)
    writers = np.array([int(page.label) for page in test.pages])
    clock = Clock()
    vlad = VLAD(CENTRES, pooling="gmp", residuals="unit").fit(train)
    clock.lap("fit the vocabulary")
    rows = vlad.transform(train), vlad.transform(test)
    clock.lap("encode all pages")
    norm = PowerNorm()
    fitted, ranked = norm.fit_transform(rows[0]), norm.fit_transform(rows[1])
    white = Whitening(COMPONENTS).fit(fitted).transform(ranked)
    clock.lap("power norm and whitening")
    evaluate_ranking(cosine_distances(white), writers)
    clock.lap("rank")
    return clock.laps


class Clock:
    """Seconds between laps."""

    def __init__(self) -> None:
        self.laps: Seconds = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self._last = now - self._last, now


def report_svm(rounds: int) -> None:
    """Ours for all test pages, beside scikit-learn for some."""
    vectors, _ = page_descriptors(sum(COUNTS.values()), SVM_WIDTH)
    negatives, pages = vectors[: COUNTS["train"]], vectors[COUNTS["train"] :]
    found, times = [], []
    for _ in tqdm(range(rounds), desc="svm", disable=None):
        start = time.perf_counter()
        encoded = ExemplarSVM(C).fit(negatives).transform(pages)
        times.append([time.perf_counter() - start])
        start = time.perf_counter()
        found = [by_scikit_learn(page, negatives) for page in pages[:SVM_COMPARED]]
        times[-1].append(time.perf_counter() - start)
    whole, theirs = np.array(times).T
    compared = len(found)
    ratio = np.median((theirs / compared) / (whole / len(pages)))
    cosines = np.einsum("nd,nd->n", encoded[:compared], np.array(found))
    print(
        f"\n## Exemplar SVMs\n\n{len(pages)} pages of {SVM_WIDTH:,} entries, {len(negatives)} "
        f"negatives, C = {C:g}. scikit-learn: `LinearSVC`, dual, on the full vectors, for "
        f"{compared} of\nthe pages. Medians of {rounds} rounds.\n\n"
        "| ours, all pages, s | ours, ms a page | scikit-learn, ms a page | scikit-learn / ours "
        "| smallest cosine of the two weight vectors |\n|--:|--:|--:|--:|--:|\n"
        f"| {np.median(whole):.2f} | {1000 * np.median(whole) / len(pages):.2f} "
        f"| {1000 * np.median(theirs) / compared:.0f} | {ratio:.0f} | {cosines.min():.6f} |",
        flush=True,
    )


def by_scikit_learn(page: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """The weight vector of one page against all negatives, of length 1."""
    svm = LinearSVC(
        C=C,
        loss="squared_hinge",
        dual=True,
        class_weight="balanced",
        max_iter=100_000,
        random_state=0,
    )
    svm.fit(np.vstack([page, negatives]), np.arange(1 + len(negatives)) == 0)
    weights: np.ndarray = svm.coef_[0]
    return weights / np.linalg.norm(weights)


def report_large() -> None:
    """Ours and scikit-learn's whitening, each in a process of its own."""
    print(
        f"\n## {LARGE:,} pages of {LARGE_WIDTH:,} entries\n\nWhitening to {COMPONENTS} components "
        f"fitted on {LARGE_TRAINING:,} other pages, and on all; transform of {LARGE:,} pages and "
        "their\ncosine ranking with the metrics, in single precision. Each in a process of its "
        "own, run once. scikit-learn:\n`PCA(whiten=True)` by its two solvers. Peak memory has "
        "Python, the libraries and the descriptors in it.\n\n"
        "| fitted on | whitening | fit, s | transform, s | rank, s | together, s | peak, MB |\n"
        "|--:|:--|--:|--:|--:|--:|--:|"
    )
    for training in (LARGE_TRAINING, LARGE):
        for name in ("ours", *SOLVERS):
            seconds, top = alone(
                whiten_large, name, training, LARGE, LARGE_WIDTH, min(COMPONENTS, training - 1)
            )
            title = name if name == "ours" else f"scikit-learn, {name}"
            cells = [f"{value:.1f}" for value in (*seconds.values(), sum(seconds.values()))]
            print(f"| {training:,} | {title} | {' | '.join(cells)} | {top:,.0f} |", flush=True)


def whiten_large(name: str, training: int, pages: int, width: int, components: int) -> Seconds:
    apart = training < pages
    vectors, writers = page_descriptors(pages + training if apart else pages, width)
    fitted, ranked = (vectors[pages:], vectors[:pages]) if apart else (vectors, vectors)
    clock = Clock()
    whitening = (
        Whitening(components)
        if name == "ours"
        else PCA(components, whiten=True, svd_solver=name, random_state=0)
    ).fit(fitted)
    clock.lap("fit")
    white = whitening.transform(ranked)
    clock.lap("transform")
    evaluate_ranking(cosine_distances(white), writers[:pages])
    clock.lap("rank")
    return clock.laps

"""Speed and memory of the retrieval metrics, as Markdown on standard output.

python -m tests.benchmarks.bench_metrics [--rounds 7]

Times mean average precision in turn with scikit-learn's score in a loop over the queries, and
with pandas sorts of each query's column of distances, among them the authors' way.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from sklearn.metrics.pairwise import euclidean_distances
from tqdm import tqdm

from dgmp.metrics import evaluate_ranking, evaluate_retrieval
from tests.benchmarks.machine import processor

Floats = NDArray[np.floating]
Labels = NDArray[np.int64]
Scored = Callable[[Floats, Labels], float]

EACH = 5
"""Pages of a writer, as in ICDAR17-WI."""
COMPARED = [(300, 2048), (1000, 2048), (1000, 256)]
WHOLE = (3600, 2048)
LARGE = (100_000, 512)
LARGE_QUERIES = 2000


def made_up(pages: int, width: int) -> tuple[Floats, Labels]:
    """Descriptors of writers who differ a little, in a random order."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(pages) // EACH)
    descriptors = rng.standard_normal((pages, width), dtype=np.float32)
    descriptors += 0.3 * rng.standard_normal((pages // EACH, width), dtype=np.float32)[labels]
    return descriptors, labels


def ours(descriptors: Floats, labels: Labels) -> float:
    return evaluate_retrieval(descriptors, labels).mean_average_precision


def ours_ready(distances: Floats, labels: Labels) -> float:
    return evaluate_ranking(distances, labels).mean_average_precision


def by_scikit_learn(distances: Floats, labels: Labels) -> float:
    """One call of `average_precision_score` a query, the query left out."""
    found = []
    for query, row in enumerate(distances):
        others = np.arange(len(row)) != query
        relevant = labels[others] == labels[query]
        found.append(average_precision_score(relevant, -row[others]))
    return 100 * float(np.mean(found))


def by_columns(distances: Floats, labels: Labels) -> float:
    """Every query's column of distances sorted in one frame, then walked down to the last hit.

    So the authors' code does it, with the writers in a column of their own beside each; the first
    rank is taken for the query itself.
    """
    pairs = {}
    for query, row in enumerate(distances):
        pairs[f"{query} distance"], pairs[f"{query} writer"] = row, labels
    frame = pd.DataFrame(pairs)
    for left in range(0, len(frame.columns), 2):
        columns = frame.columns[left : left + 2]
        frame[columns] = frame[columns].sort_values(columns[0]).to_numpy()
    found = []
    for column in frame.columns[1::2]:
        writer, *ranking = frame[column]
        hits, precision = 0, 0.0
        for rank, other in enumerate(ranking, start=1):
            if other == writer:
                hits += 1
                precision += hits / rank
                if hits == EACH - 1:
                    break
        found.append(precision / (EACH - 1))
    return 100 * float(np.mean(found))


def by_series(distances: Floats, labels: Labels) -> float:
    """One pandas column sorted a query, the rest in NumPy: as lean as a sort by pandas can be."""
    found = []
    for query, row in enumerate(distances):
        ranking = pd.Series(row).sort_values().index.to_numpy()[1:]
        relevant = labels[ranking] == labels[query]
        precision = np.cumsum(relevant) / np.arange(1, len(relevant) + 1)
        found.append(precision[relevant].mean())
    return 100 * float(np.mean(found))


OTHERS = (by_scikit_learn, by_columns, by_series)


def from_descriptors(score: Scored, descriptors: Floats, labels: Labels) -> float:
    """A score of ready distances, the distances computed by scikit-learn."""
    points = descriptors.astype(np.float64)
    return score(euclidean_distances(points, squared=True), labels)


def seconds(run: Callable[[], float], rounds: int = 1) -> list[float]:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times


def report_speed(rounds: int) -> None:
    print(
        "| from | pages, D | ours, ms | scikit-learn, ms | authors' way, ms | one Series, ms "
        "| scikit-learn / ours | authors' way / ours | one Series / ours |\n"
        "|:--|--:|--:|--:|--:|--:|--:|--:|--:|"
    )
    for pages, width in tqdm(COMPARED, desc="speed", disable=None):
        descriptors, labels = made_up(pages, width)
        distances = euclidean_distances(descriptors.astype(np.float64), squared=True)
        whole = [partial(ours, descriptors, labels)]
        whole += [partial(from_descriptors, score, descriptors, labels) for score in OTHERS]
        ready = [partial(score, distances, labels) for score in (ours_ready, *OTHERS)]
        for name, runs in (("descriptors", whole), ("distances", ready)):
            scores = [run() for run in runs]  # and their caches are warm
            if np.ptp(scores) > 1e-6:
                raise ValueError(f"the ways disagree: {scores}")
            times = np.array([[seconds(run)[0] for run in runs] for _ in range(rounds)])
            middle = 1000 * np.median(times, axis=0)
            ratios = np.median(times[:, 1:] / times[:, :1], axis=0)
            cells = [name, f"{pages}, {width}", *(f"{t:.1f}" for t in middle)]
            print("| " + " | ".join([*cells, *(f"{ratio:.1f}" for ratio in ratios)]) + " |")


def whole_set(rounds: int) -> tuple[list[float], float, float]:
    """Times of the larger set, and megabytes before and at the peak."""
    descriptors, labels = made_up(*WHOLE)
    before = peak()
    times = seconds(partial(ours, descriptors, labels), rounds)
    return times, before, peak()


def large_set() -> tuple[float, float, float]:
    """Seconds of some queries against the largest set, and megabytes before and at the peak."""
    descriptors, labels = made_up(*LARGE)
    # Pages alone of their label are no queries, but in every gallery.
    alone = labels >= LARGE_QUERIES // EACH
    labels[alone] = np.arange(len(labels))[alone] + len(labels)
    before = peak()
    return seconds(partial(ours, descriptors, labels))[0], before, peak()


def peak() -> float:
    """Largest resident memory of this process so far, in megabytes, on Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=7)
    rounds = arguments.parse_args().rounds
    libraries = ", ".join(f"{n} {version(n)}" for n in ("numpy", "scikit-learn", "pandas"))
    print(
        f"# Retrieval metrics\n\n{processor()}, {libraries}. Made by "
        f"`make bench`.\n\n## Mean average precision, {EACH} pages a writer\n\n"
        "Medians over rounds in which all are timed in turn; ratios are medians of the ratios in "
        "a round.\nscikit-learn: `average_precision_score` for each query. Authors' way: one "
        "pandas frame, each query's column\nof distances sorted in it and walked down to the last "
        "hit. One Series: a pandas Series sorted for each\nquery, the rest in NumPy. From "
        "descriptors these take scikit-learn's `euclidean_distances`, whose matrix\nproduct is "
        "most of the time. All give the same mean average precision; ours gives top-k and\n"
        "precision@k as well.\n"
    )
    report_speed(rounds)
    # A process each, since the peak is that of the process.
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        times, before, top = pool.apply(whole_set, (rounds,))
    print(
        f"\n## {WHOLE[0]:,} pages, D = {WHOLE[1]:,}\n\nFrom descriptors: "
        f"{statistics.median(times):.2f} s (median of {rounds}; {min(times):.2f} to "
        f"{max(times):.2f}). Peak memory of the\nprocess {top:.0f} MB, of which Python, libraries "
        f"and the descriptors in single precision {before:.0f} MB."
    )
    with context.Pool(1) as pool:
        taken, before, top = pool.apply(large_set)
    pages, width = LARGE
    print(
        f"\n## {pages:,} pages, D = {width}\n\nRun with {LARGE_QUERIES:,} of the pages as queries "
        f"and all in every gallery: {taken:.1f} s, or\n{1000 * taken / LARGE_QUERIES:.2f} ms a "
        f"query; all {pages:,} as queries would take {taken / LARGE_QUERIES * pages / 60:.0f} "
        f"minutes at that rate (not run).\nPeak memory {top:.0f} MB, of which Python, libraries "
        f"and the descriptors in single precision {before:.0f} MB; more\nqueries come in more "
        "blocks, not in larger ones."
    )


if __name__ == "__main__":
    main()

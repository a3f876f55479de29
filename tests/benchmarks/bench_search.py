"""How well a search without labels tells hands apart, as Markdown on standard output.

python -m tests.benchmarks.bench_search REPORT LABELS

REPORT is a folder that `make search` wrote, of pages whose hands LABELS tells, a csv with the
columns file, label and split. Labels are read only to count. Nothing is chosen here: constants are
in `dgmp.search`.
"""

from __future__ import annotations

import argparse
import csv
import resource
import time
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
from sklearn.metrics import adjusted_rand_score
from tqdm import tqdm

from dgmp.encoding import VLAD, Whitening
from dgmp.encoding.local_descriptors import DescribedPage
from dgmp.metrics import evaluate_ranking
from dgmp.search.assembly import findings_of
from dgmp.search.changes import page_by_page
from dgmp.search.evidence import contributions, evidence
from dgmp.search.findings import Cutoffs, Floats
from dgmp.search.grading import fitted_cutoffs, stated_cutoffs
from dgmp.search.index import Index, new_vlad
from dgmp.search.neighbours import nearest_pages, nearest_pages_by_faiss
from dgmp.search.quality import of_groups, of_hits
from dgmp.search.scoring import COHORT, Scoring
from tests.benchmarks.bench_parts import few_hands, few_pages
from tests.benchmarks.machine import processor

SPLITS = (("train", "val"), ("test",), ("train", "val", "test"))
PAGES = 100_000
SPLICES, HALVES, TIMED_PAIRS = 40, 10, 50


def report(places: Sequence[DescribedPage], labels: Sequence[str], vlad: VLAD) -> None:
    """Measure on pages whose labels stand for hands; each page is a codex."""
    start = time.perf_counter()
    pages = [place.vectors for place in places]
    vectors = vlad.fit(pages).transform(pages)
    encoded = time.perf_counter() - start
    enough = np.flatnonzero(vectors.any(axis=1)).tolist()
    hands = [labels[row] for row in enough]
    start = time.perf_counter()
    scoring = Scoring.fit(vectors[enough])
    scores = scoring.scores()
    findings = findings_of(scores, [str(row) for row in enough])
    found = time.perf_counter() - start
    start = time.perf_counter()
    nearest_pages(scoring)
    blocks = time.perf_counter() - start
    print(
        f"\n{len(hands)} of {len(pages)} pages by {len(set(hands))} hands. Each page is a codex of "
        "its own; the vocabulary, the\nwhitening and the normalization are fitted on these pages.\n"
        f"{findings.cutoffs.rule}\n\n| what | measured |\n|:--|--:|"
    )
    compared = [places[row] for row in enough]
    rows = [
        *(
            (row.what, f"{100 * row.right / max(row.of, 1):.1f} % ({row.right} of {row.of})")
            for row in of_hits(scores, findings.cutoffs, hands) + of_groups(findings.groups, hands)
        ),
        ("mean average precision", f"{precision(scores, hands):.1f} %"),
        ("groups: adjusted Rand index", f"{rand_index(findings.groups, hands):.3f}"),
        *changes(scores, hands),
        *carried(vectors[enough], hands),
        ("fit the vocabulary, encode", f"{encoded:.1f} s"),
        ("scores and findings", f"{found:.1f} s"),
        ("ten nearest without a matrix", f"{blocks:.2f} s"),
        (
            "evidence for a pair of pages",
            f"{evidence_speed(compared, vlad):.1f} ms",
        ),
    ]
    for what, value in rows:
        print(f"| {what} | {value} |")


def precision(scores: Floats, hands: Sequence[str]) -> float:
    """Mean average precision of all pages with a mate, in percent."""
    return evaluate_ranking(-scores, hands).mean_average_precision


def rand_index(groups: np.ndarray, hands: Sequence[str]) -> float:
    """Adjusted Rand index, with each page that fits nowhere as a group of its own."""
    alone = np.where(groups < 0, len(groups) + np.arange(len(groups)), groups)
    return float(adjusted_rand_score(hands, alone))


def changes(scores: Floats, hands: Sequence[str]) -> list[tuple[str, str]]:
    """Codices of two hands, spliced at a random page, and whole ones of one hand."""
    names = np.array(hands)
    # At least two pages of a hand: one is a singleton.
    members = [np.flatnonzero(names == hand) for hand in sorted(set(hands))]
    members = [rows for rows in members if len(rows) > 1]
    found = exact = extra = 0
    for seed in range(SPLICES):
        rng = np.random.default_rng((0, seed))
        one, other = (members[i] for i in rng.choice(len(members), 2, replace=False))
        one, other = one[: rng.integers(2, len(one) + 1)], other[-rng.integers(2, len(other) + 1) :]
        marks = page_by_page("", [*one.tolist(), *other.tolist()], scores).changes
        near = any(abs(mark - len(one)) <= 1 for mark in marks)
        found, exact, extra = found + near, exact + (len(one) in marks), extra + len(marks) - near
    whole = [page_by_page("", rows.tolist(), scores) for rows in members]
    pages = sum(len(codex.pages) for codex in whole)
    false, lone = (sum(len(getattr(c, kind)) for c in whole) for kind in ("changes", "singletons"))
    return [
        ("spliced codices: change found within one page", f"{found} of {SPLICES}"),
        ("spliced codices: change found at its page", f"{exact} of {SPLICES}"),
        ("spliced codices: other changes marked", f"{extra} in {SPLICES}"),
        ("codices of one hand: changes marked", f"{40 * false / pages:.2f} in 40 pages"),
        ("codices of one hand: singletons marked", f"{40 * lone / pages:.2f} in 40 pages"),
    ]


def carried(vectors: np.ndarray, hands: Sequence[str]) -> list[tuple[str, str]]:
    """Cut-offs fitted to the known hands of one half of them, used for the other half."""
    names = np.array(hands)
    different = np.unique(names)
    stated, fitted = [], []
    for seed in range(HALVES):
        first = np.random.default_rng(seed).permutation(different)[: len(different) // 2]
        chosen = np.isin(names, first)
        halves = [(Scoring.fit(vectors[rows]).scores(), names[rows]) for rows in (chosen, ~chosen)]
        for (scores, known), measured in (halves, halves[::-1]):
            rows, columns = np.triu_indices(len(known), 1)
            answers = known[rows] == known[columns]
            cutoffs = fitted_cutoffs(scores[rows, columns], answers, "known hands")
            fitted.append(graded(*measured, cutoffs))
            stated.append(graded(*measured, stated_cutoffs()))
    return [
        (
            f'halves, cut-offs {what}: nearest page graded "likely", precision and recall',
            "{:.1f} % and {:.1f} %, lowest {:.1f} % and {:.1f} %".format(
                *np.mean(figures, axis=0), *np.min(figures, axis=0)
            ),
        )
        for what, figures in (("stated", stated), ("fitted to the other half", fitted))
    ]


def graded(scores: Floats, hands: np.ndarray, cutoffs: Cutoffs) -> tuple[float, float]:
    """Precision and recall of the nearest page graded likely, in percent."""
    rows = of_hits(scores, cutoffs, hands)
    return 100 * rows[1].right / max(rows[1].of, 1), 100 * rows[2].right / rows[2].of


def evidence_speed(places: Sequence[DescribedPage], vlad: VLAD) -> float:
    """Milliseconds for a pair, median, with what is known of each page at hand."""
    parts = [contributions(vlad, place) for place in places[: TIMED_PAIRS + 1]]
    spent = []
    for one, other in pairwise(parts):
        start = time.perf_counter()
        evidence(one, other)
        spent.append(time.perf_counter() - start)
    return 1000 * float(np.median(spent))


def scale(pages: int, directions: int = 400) -> None:
    """Time and memory of the ten nearest of so many made-up pages."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(pages, directions)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    cohort = np.linspace(0, pages - 1, min(pages, COHORT)).astype(np.intp)
    medians = np.concatenate([np.median(part @ rows[cohort].T, axis=1) for part in batches(rows)])
    scoring = Scoring(Whitening(), rows, medians, 1.0, cohort)
    print(
        f"\n## {pages:,} made-up pages of {directions} directions\n\n"
        f"Floor: the products, {2 * pages**2 * directions / 1e12:.1f} TFLOP.\n\n"
        "| ten nearest of each page | s | processor s | GB at most |\n|:--|--:|--:|--:|"
    )
    ways = {"exact, in blocks": nearest_pages}
    if find_spec("faiss"):
        ways["exact, FAISS"] = nearest_pages_by_faiss
    found = {}
    for way, search in ways.items():
        start, used = time.perf_counter(), time.process_time()
        found[way], _ = search(scoring)
        spent, used = time.perf_counter() - start, time.process_time() - used
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"| {way} | {spent:.0f} | {used:.0f} | {peak:.1f} |")
    first, *others = found.values()
    for other in others:
        print(f"\nNeighbours that differ, by rounding: {np.mean(first != other):.0e} of all.")


def batches(rows: Floats) -> list[Floats]:
    """Rows, a few thousand at a time."""
    return np.array_split(rows, max(1, len(rows) // 4000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("labels", type=Path)
    asked = parser.parse_args()
    index = Index.load(asked.report)
    with asked.labels.open(encoding="utf-8") as lines:
        rows = {Path(row["file"]).name: row for row in csv.DictReader(lines)}
    labels = [rows[scan.file.name] for scan in index.scans]
    print(f"# Search without labels\n\n{processor()}.")
    for splits in tqdm(SPLITS, desc="search", disable=None):
        chosen = [row for row, label in enumerate(labels) if label["split"] in splits]
        places = [index.places[row] for row in chosen]
        hands = [labels[row]["label"] for row in chosen]
        print(f"\n## Pages of {' and '.join(splits)}")
        report(places, hands, new_vlad())
        if splits == SPLITS[0]:
            few_pages(places, hands)
            few_hands(places, hands)
    scale(PAGES)


if __name__ == "__main__":
    main()

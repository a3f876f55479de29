"""What fresh memory costs the layer on a CPU: a Markdown table on standard output (Linux, glibc).

python -m tests.benchmarks.bench_allocator [--rounds 9]

The C library returns a large freed block to the operating system, which gives it anew page by page.
The table has forward and backward as it is, and where freed memory is kept.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics

import torch

from dgmp.pooling.functional import generalized_max_pool
from tests.benchmarks.bench_pooling import (
    LAMBDA,
    Shape,
    gram_product,
    milliseconds,
    ratio,
    step,
    textbook_pool,
)
from tests.benchmarks.machine import processor

SHAPES: list[Shape] = [(8, 2048, 24 * 24), (8, 2048, 13 * 13), (56, 256, 8 * 8)]
MEMORY = {
    "as it is": {},
    "kept": {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**32)},
}


def cells(shape: Shape, rounds: int) -> list[str]:
    """Milliseconds of a step and of the Gram product, and the ratios to it and of the textbook."""
    runs = [step(generalized_max_pool, shape), gram_product(shape), step(textbook_pool, shape)]
    ours, gram, textbook = milliseconds(runs, rounds, least=0.02)
    return [
        f"{statistics.median(ours):.2f}",
        f"{statistics.median(gram):.2f}",
        f"{ratio(ours, gram):.2f}",
        f"{ratio(textbook, ours):.2f}",
    ]


def report(rounds: int) -> None:
    print(
        "| B, D, N | freed memory | ours, ms | Gram product, ms | ours / Gram | textbook / ours |\n"
        "|:--|:--|--:|--:|--:|--:|"
    )
    for shape in SHAPES:
        for memory, variables in MEMORY.items():
            os.environ.update(variables)
            # The C library reads them as a process starts.
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                row = pool.apply(cells, (shape, rounds))
            for name in variables:
                del os.environ[name]
            print(f"| {', '.join(map(str, shape))} | {memory} | {' | '.join(row)} |", flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=9)
    rounds = arguments.parse_args().rounds
    names = " ".join(f"{name}={value}" for name, value in MEMORY["kept"].items())
    print(
        f"# Generalized max pooling where freed memory is kept\n\n{processor()}, "
        f"{torch.get_num_threads()} threads, PyTorch {torch.__version__}, float32, "
        f"lambda {LAMBDA:g}. Made by\n`python -m tests.benchmarks.bench_allocator`. Forward and "
        "backward; medians, and medians of ratios, as in\n[pooling.md](pooling.md). Kept: "
        f"`{names}`.\n"
    )
    report(rounds)


if __name__ == "__main__":
    main()

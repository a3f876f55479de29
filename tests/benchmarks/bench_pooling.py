"""Speed and memory of generalized max pooling, as a Markdown table on standard output.

python -m tests.benchmarks.bench_pooling [--rounds 15]

Times forward and backward of `dgmp.functional.generalized_max_pool` in turn with the textbook form
and with the one Gram product that no exact method can do without.
"""

from __future__ import annotations

import argparse
import itertools
import math
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from dgmp.pooling.functional import generalized_max_pool
from tests.benchmarks.machine import processor

Shape = tuple[int, int, int]
SHAPES: list[Shape] = [
    (8, 2048, 13 * 13),
    (8, 2048, 24 * 24),
    (4, 384, 64 * 64),
    (56, 128, 6 * 6),
    (56, 256, 8 * 8),
    (4, 768, 128 * 128),
]
LARGEST_TEXTBOOK = 64 * 64
SWEEP_BATCHES = (1, 8, 64, 256)
SWEEP_SIZES = [2**power for power in range(12)]
# Of the large batches those that do not take the textbook form minutes each.
LARGE_BATCH, MOST_LOCATIONS, MOST_ACTIVATIONS = 64, 64, 2**20
# A first ratio below this is measured again, with as many rounds as the shapes above.
DOUBTFUL = 1.1
LAMBDA = 1000.0


def textbook_pool(phi: Tensor, lambda_: Tensor) -> Tensor:
    """Eq. 9 as it stands: the dual system by LU, the derivative by autograd."""
    identity = torch.eye(phi.shape[2], dtype=phi.dtype, device=phi.device)
    ones = phi.new_ones(phi.shape[0], phi.shape[2], 1)
    alpha = torch.linalg.solve(phi.mT @ phi + lambda_ * identity, ones)
    return (phi @ alpha).squeeze(2)


def step(pool: Callable[[Tensor, Tensor], Tensor], shape: Shape) -> Callable[[], None]:
    """Forward and backward of one batch of non-negative activations."""
    torch.manual_seed(0)
    phi = torch.rand(shape).requires_grad_()
    lambda_ = torch.tensor(LAMBDA, requires_grad=True)
    weight = torch.rand(shape[:2])

    def run() -> None:
        phi.grad = lambda_.grad = None
        (pool(phi, lambda_) * weight).sum().backward()

    return run


def gram_product(shape: Shape) -> Callable[[], None]:
    """The smaller Gram matrix, at once."""
    torch.manual_seed(0)
    phi = torch.rand(shape)
    x = phi if shape[2] <= shape[1] else phi.mT

    def run() -> None:
        torch.bmm(x.mT, x)

    return run


def copy(shape: Shape) -> Callable[[], None]:
    """One pass over the input, reading and writing."""
    source, target = torch.rand(shape), torch.rand(shape)

    def run() -> None:
        target.copy_(source)

    return run


def milliseconds(runs: list[Callable[[], None]], rounds: int, least: float) -> list[list[float]]:
    """Times of each run, in turn within a round; repeated to last at least so many seconds."""
    # Not torch.utils.benchmark.Timer: it sets the number of threads, after which the batched LU
    # of MKL fails or hangs.
    for run in runs:
        seconds(run, 1)
    repeats = [max(1, math.ceil(least / seconds(run, 1))) for run in runs]
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for run, number, found in zip(runs, repeats, times, strict=True):
            found.append(1000 * seconds(run, number))
    return times


def seconds(run: Callable[[], None], number: int) -> float:
    """Mean time of a run."""
    start = time.perf_counter()
    for _ in range(number):
        run()
    return (time.perf_counter() - start) / number


def ratio(numerators: list[float], denominators: list[float]) -> float:
    """Median over the rounds."""
    return statistics.median(a / b for a, b in zip(numerators, denominators, strict=True))


def gigaflops(shape: Shape) -> tuple[float, float]:
    """Operations, in 10^9: of the whole Gram product, and of the least that is needed.

    That is half the Gram matrix, its Cholesky factor, and ten for each entry of Phi.
    """
    batch, depth, locations = shape
    n, m = min(depth, locations), max(depth, locations)
    least = n * n * m + n**3 / 3 + 10 * n * m
    return batch * 2 * n * n * m / 1e9, batch * least / 1e9


def report_shapes(rounds: int) -> None:
    print(
        "| B, D, N | textbook, ms | ours, ms | Gram product, ms | textbook / ours | ours / Gram "
        "| floor / Gram | ours / floor |\n|:--|--:|--:|--:|--:|--:|--:|--:|"
    )
    for shape in tqdm(SHAPES, desc="shapes", disable=None):
        runs = [step(generalized_max_pool, shape), gram_product(shape), copy(shape)]
        if shape[2] <= LARGEST_TEXTBOOK:
            runs.append(step(textbook_pool, shape))
        ours, gram, copied, *textbook = milliseconds(runs, rounds, least=0.02)
        whole, least = gigaflops(shape)
        # Phi is read in four products besides the Gram matrix, and its gradient written.
        floor = [least / whole * g + 2.5 * c for g, c in zip(gram, copied, strict=True)]
        cells = [
            ", ".join(map(str, shape)),
            *([f"{statistics.median(t):.2f}" for t in textbook] or ["–"]),
            f"{statistics.median(ours):.2f}",
            f"{statistics.median(gram):.2f}",
            *([f"{ratio(t, ours):.2f}" for t in textbook] or ["–"]),
            f"{ratio(ours, gram):.2f}",
            f"{ratio(floor, gram):.2f}",
            f"{ratio(ours, floor):.2f}",
        ]
        print("| " + " | ".join(cells) + " |", flush=True)


def report_sweep(rounds: int) -> None:
    shapes = list(sweep_shapes())
    found = {shape: speedup(shape, 3) for shape in tqdm(shapes, desc="sweep", disable=None)}
    for shape in tqdm([s for s in shapes if found[s] < DOUBTFUL], desc="again", disable=None):
        found[shape] = speedup(shape, rounds)
    for batch in SWEEP_BATCHES:
        print(f"\ntextbook / ours, B = {batch}; rows N, columns D\n")
        heads = " | ".join(map(str, SWEEP_SIZES))
        print(f"| N | {heads} |\n|--:" + "|--:" * len(SWEEP_SIZES) + "|")
        for n in sorted({n for b, _, n in shapes if b == batch}):
            ratios = [found.get((batch, d, n)) for d in SWEEP_SIZES]
            print(f"| {n} | {' | '.join('–' if r is None else f'{r:.2f}' for r in ratios)} |")
    worst = min(found, key=found.__getitem__)
    print(
        f"\nSmallest of the {len(found)} ratios: {found[worst]:.2f} at B, D, N = "
        f"{', '.join(map(str, worst))}; median {statistics.median(found.values()):.2f}."
    )


def sweep_shapes() -> Iterator[Shape]:
    for batch, depth, locations in itertools.product(SWEEP_BATCHES, SWEEP_SIZES, SWEEP_SIZES):
        small = locations <= MOST_LOCATIONS and batch * depth * locations <= MOST_ACTIVATIONS
        if batch < LARGE_BATCH or small:
            yield batch, depth, locations


def speedup(shape: Shape, rounds: int) -> float:
    """How many times as long the textbook form takes."""
    runs = [step(generalized_max_pool, shape), step(textbook_pool, shape)]
    ours, textbook = milliseconds(runs, rounds, least=0.01)
    return ratio(textbook, ours)


def peak_memory(name: str, shape: Shape) -> float:
    """Peak memory of one step in multiples of the input, the input among it (on Linux)."""
    pools = {"ours": generalized_max_pool, "textbook": textbook_pool}
    step(pools[name], (1, 2, 2))()
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    step(pools[name], shape)()
    return (resident("VmHWM") - before) / (4 * math.prod(shape))


def resident(key: str) -> int:
    """Bytes of a line of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key))


def report_memory() -> None:
    print("| B, D, N | input, MB | ours | textbook |\n|:--|--:|--:|--:|")
    for shape in SHAPES:
        multiples = {}
        for name in ("ours", "textbook")[: 2 if shape[2] <= LARGEST_TEXTBOOK else 1]:
            # A process each, since the peak is that of the process.
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                multiples[name] = f"{pool.apply(peak_memory, (name, shape)):.1f}"
        print(
            f"| {', '.join(map(str, shape))} | {4 * math.prod(shape) / 1e6:.1f} "
            f"| {multiples['ours']} | {multiples.get('textbook', '–')} |",
            flush=True,
        )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=15)
    rounds = arguments.parse_args().rounds
    print(
        f"# Generalized max pooling: forward and backward\n\n{processor()}, "
        f"{torch.get_num_threads()} threads, PyTorch {torch.__version__}, float32, "
        f"lambda {LAMBDA:g}. Made by `make bench`.\n\n"
        "Medians over rounds in which all are timed in turn; ratios are medians of the ratios in "
        "a round.\nTextbook: Eq. 9's N×N system by `torch.linalg.solve`, derivative by autograd. "
        "Gram: one min(N, D)\nGram product. Floor: half that product and a Cholesky factor at "
        "the speed of the Gram product, four\nreads of the input and one write of its gradient "
        "at the speed of a copy.\n"
    )
    report_shapes(rounds)
    print("\n## Peak memory\n\nIn multiples of the input, the input and its gradient among it.\n")
    report_memory()
    print("\n## Sweep over powers of two")
    report_sweep(rounds)


if __name__ == "__main__":
    main()

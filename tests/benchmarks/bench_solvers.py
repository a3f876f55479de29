"""Does an iterative solver pay for large systems? A Markdown table on standard output.

python -m tests.benchmarks.bench_solvers [--rounds 3]

Times forward and backward of `generalized_max_pool` by Cholesky and by a few steps of conjugate
gradients in turn, and the error of the latter against float64.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import Tensor
from tqdm import tqdm

from dgmp.pooling.functional import generalized_max_pool
from tests.benchmarks.machine import processor

SHAPES = [(8, 2048, 24 * 24), (1, 2048, 128 * 128)]
STEPS = (8, 32, 128)
LAMBDA = 1000.0


def activations(shape: tuple[int, int, int]) -> Tensor:
    """Non-negative and correlated, mean 0.8: mixtures of 64 patterns, as of a network."""
    generator = torch.Generator().manual_seed(0)
    batch, depth, locations = shape
    patterns = torch.randn(batch, depth, 64, generator=generator)
    mixtures = torch.randn(batch, 64, locations, generator=generator) / 4
    return torch.relu(patterns @ mixtures)


def step(phi: Tensor, steps: int | None) -> float:
    """Seconds of forward and backward."""
    phi.grad = None
    start = time.perf_counter()
    generalized_max_pool(phi, LAMBDA, cg_iterations=steps).sum().backward()
    return time.perf_counter() - start


def error(phi: Tensor, steps: int | None) -> float:
    """Largest relative error of a sample's value against float64."""
    with torch.no_grad():
        exact = generalized_max_pool(phi.double(), LAMBDA)
        found = generalized_max_pool(phi, LAMBDA, cg_iterations=steps)
    return float(((found - exact).norm(dim=1) / exact.norm(dim=1)).max())


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=3)
    rounds = arguments.parse_args().rounds
    torch.set_num_threads(1)
    print(
        f"# Conjugate gradients beside Cholesky\n\n{processor()}, 1 thread, PyTorch "
        f"{torch.__version__}, float32, λ = {LAMBDA:g}, correlated activations. Made by\n"
        f"`python -m tests.benchmarks.bench_solvers`. Forward and backward; medians of {rounds} "
        "rounds in which all are timed in\nturn, ratios likewise. In brackets the largest relative "
        "error of a value against float64.\n"
    )
    head = "".join(f" {steps} steps / Cholesky |" for steps in STEPS)
    print(f"| B, D, N | Cholesky, s |{head}\n|:--|--:|{'--:|' * len(STEPS)}")
    for shape in tqdm(SHAPES, unit="shape", disable=None):
        phi = activations(shape).requires_grad_()
        times = [[step(phi, steps) for steps in (None, *STEPS)] for _ in range(rounds)]
        cells = [
            f"{statistics.median(row[i] / row[0] for row in times):.2f} ({error(phi, steps):.0e})"
            for i, steps in enumerate(STEPS, 1)
        ]
        first = statistics.median(row[0] for row in times)
        name = ", ".join(map(str, shape))
        print(f"| {name} | {first:.2f} ({error(phi, None):.0e}) | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

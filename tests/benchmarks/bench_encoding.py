"""Speed and memory of the encodings without a network, as Markdown on standard output.

python -m tests.benchmarks.bench_encoding [--rounds 5]
"""

from __future__ import annotations

import argparse
import tempfile
from importlib.metadata import version
from pathlib import Path

import torch

from tests.benchmarks import bench_chain, bench_describe, bench_residuals
from tests.benchmarks.machine import processor


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    rounds = arguments.parse_args().rounds
    libraries = ", ".join(
        f"{name} {version(name)}" for name in ("torch", "numpy", "scikit-learn", "scipy")
    )
    print(
        f"# Encoding of pages\n\n{processor()}, {torch.get_num_threads()} threads, {libraries}. "
        "Made by\n`make bench`. Medians over rounds in which all are timed in turn; ratios are "
        "medians of the ratios in a\nround."
    )
    bench_residuals.report(rounds)
    bench_describe.report(rounds)
    with tempfile.TemporaryDirectory() as scratch:
        bench_chain.report(Path(scratch) / "writers", rounds)


if __name__ == "__main__":
    main()

"""Speed and memory of what comes before the network, as Markdown on standard output.

python -m tests.benchmarks.bench_data [--rounds 7]
"""

import argparse
import os
import tempfile
from pathlib import Path

# Before the imports: figures of a core are those of one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import torch

from tests.benchmarks import bench_extraction, bench_memory, bench_reading, bench_views
from tests.benchmarks.machine import processor


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=7)
    rounds = arguments.parse_args().rounds
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    print(
        "# From page files to batches\n\n"
        f"{processor()}. Made by `make bench`. Medians over rounds in "
        "which all are timed in turn, on\none core unless said otherwise; ratios are medians of "
        "the ratios in a round. All files are in the\nsystem's cache: what a disk adds cannot be "
        "seen here."
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        store = bench_extraction.report(folder, rounds)
        bench_reading.report(store, folder, rounds)
        bench_memory.report(folder)
        bench_views.report(folder, rounds)


if __name__ == "__main__":
    main()

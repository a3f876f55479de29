"""Stage embed: all pages by the networks of a cell, `python -m pipeline.embed <cell>`.

Reads patches/writers/ and train/<cell>/seed<k>.safetensors below data/<profile>/. Writes
data/<profile>/embed/<cell>/seed<k>.npz: pages (n, 4), and their descriptors `patch` and `page`.
"""

import sys

import numpy as np

from dgmp.files import whole_folder
from pipeline.shared.parallel import in_parallel
from pipeline.shared.settings.params import ParamsError, load_params
from pipeline.shared.stage import run
from pipeline.training.page_vectors import EmbedJob, embed_pages


def main() -> None:
    params = load_params()
    name = sys.argv[1] if len(sys.argv) == 2 else ""
    if name not in params.embedded:
        raise ParamsError(f"cell {name!r} is not one of embedded: {', '.join(params.embedded)}")
    seeds = params.active.writers.seeds
    jobs = [EmbedJob(params, name, seed) for seed in seeds]
    workers = params.active.workers
    with whole_folder(params.data / "embed" / name) as folder:
        found = in_parallel(embed_pages, jobs, workers=workers, title=f"embed {name}", unit="runs")
        for seed, vectors in zip(seeds, found, strict=True):
            np.savez(folder / f"seed{seed}.npz", **vectors._asdict())


if __name__ == "__main__":
    run(main)

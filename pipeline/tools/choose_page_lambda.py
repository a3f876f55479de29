"""Which λ for the generalized max pooling of whole pages? Tried on validation writers.

    python -m pipeline.tools.choose_page_lambda

A network of `embedded` describes the pages of the writers that its training kept for validation: by
the mean of its patches, and by one system for all locations of a page with each λ of LAMBDAS,
relative to their energy. No page of the test set is read. Reads trunk/ or patches/writers/ and
train/<cell>/ below data/<profile>/, writes reports/<profile>/constants/page_lambda.csv: mAP for
each network and λ, mean over its seeds.
"""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import normalize
from tqdm import tqdm

from dgmp.learning.inputs import Inputs
from dgmp.metrics import evaluate_retrieval
from pipeline.inputs.task_data import load_inputs
from pipeline.shared.files import write_csv
from pipeline.shared.settings.params import load_params
from pipeline.shared.stage import run
from pipeline.training.page_vectors import EmbedJob, load_network, pages_of, pool_page
from pipeline.training.writer_retrieval import REDRAW, redrawn

log = logging.getLogger(__name__)

LAMBDAS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
PATCHES = "mean of patches"


def main() -> None:
    params = load_params()
    data = load_inputs(params, "writers")
    seeds = params.active.writers.seeds
    rows = []
    with tqdm(total=len(params.embedded) * len(seeds), unit="run", disable=None) as bar:
        for cell in params.embedded:
            scores = []
            for seed in seeds:
                val = data.val
                if params.active.writers.redraw_validation:
                    rng = np.random.default_rng([seed, REDRAW])
                    val = redrawn(data.train, data.val, rng)[1]
                scores.append(score_page_lambdas(EmbedJob(params, cell, seed), val))
                bar.update()
            for described, mean in pd.DataFrame(scores).mean().items():
                rows.append({"cell": cell, "lambda": described, "mAP": mean})
                log.info("%s, %s: %.2f", cell, described, mean)
    write_csv(params.reports / "constants" / "page_lambda.csv", pd.DataFrame(rows), decimals=2)


@torch.inference_mode()
def score_page_lambdas(job: EmbedJob, inputs: Inputs) -> dict[str, float]:
    """MAP of the pages by the mean of their patches and by each λ of LAMBDAS, in percent."""
    model = load_network(job).eval()
    found: dict[str, list[torch.Tensor]] = {
        name: [] for name in (PATCHES, *(f"{one:g}" for one in LAMBDAS))
    }
    pages = pages_of(inputs)
    for _name, _label, patches in pages:
        volume = model.backbone(model.preparation(inputs(patches))).float()
        pooled = model.pooling(volume)
        found[PATCHES].append((normalize(pooled, dim=1) if model.normalize else pooled).mean(0))
        for one in LAMBDAS:
            found[f"{one:g}"].append(normalize(pool_page(volume, one), dim=0))
    labels = np.array([label for _name, label, _patches in pages])
    return {
        name: evaluate_retrieval(torch.stack(rows).numpy(), labels).mean_average_precision
        for name, rows in found.items()
    }


if __name__ == "__main__":
    run(main)

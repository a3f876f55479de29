"""Stage figures: Figures 1 to 10, and the curves that `dvc plots` shows.

Reads pages of data/<profile>/{acquire,binarize}/, logs, predictions and a network of train/, an
encoder of encode/, the local descriptors that it reads, and the scores in evaluate/ and compare/;
writes reports/<profile>/figures/figure<n>.png and .svg, and reports/<profile>/curves.json and
lambda.json.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure
from tqdm import tqdm

from dgmp.files import whole_folder
from pipeline.plots import (
    confusion_matrices,
    ladder,
    lambda_and_margin,
    lambda_by_epoch,
    layer_diagram,
    matching_descriptors,
    retrieval_rankings,
    sample_pages,
    validation_error,
    weight_maps,
)
from pipeline.plots.style import render
from pipeline.shared.files import write_text
from pipeline.shared.settings.params import Params, load_params
from pipeline.shared.stage import run

FIGURES: dict[str, Callable[[Params], Figure]] = {
    "figure1": layer_diagram.figure,
    "figure2": sample_pages.writers_figure,
    "figure3": sample_pages.scripts_figure,
    "figure4": validation_error.figure,
    "figure5": lambda_and_margin.figure,
    "figure6": confusion_matrices.figure,
    "figure7": retrieval_rankings.figure,
    "figure8": weight_maps.figure,
    "figure9": ladder.figure,
    "figure10": matching_descriptors.figure,
}
CURVES: dict[str, Callable[[Params], list[dict[str, Any]]]] = {
    "curves": validation_error.rows,
    "lambda": lambda_by_epoch.rows,
}

log = logging.getLogger(__name__)


def main() -> None:
    params = load_params()
    with whole_folder(params.reports / "figures") as folder:
        for name, draw in tqdm(FIGURES.items(), "figures", unit="figure", disable=None):
            for ending, content in render(draw(params)).items():
                (folder / f"{name}.{ending}").write_bytes(content)
    for name, rows in CURVES.items():
        text = json.dumps(rows(params), ensure_ascii=False, indent=1)
        write_text(params.reports / f"{name}.json", text + "\n")
    log.info("figures 1 to %d: %s", len(FIGURES), params.reports / "figures")


if __name__ == "__main__":
    run(main)

"""Stage ensemble: test logits of all seeds of a script cell -> accuracies of their ensembles.

Reads data/<profile>/train/<cell>/, writes data/<profile>/ensemble/scores.csv: cell, models, and
the percent accuracies weighted (section IV-C.2 of the paper), unweighted and majority; and
pages.csv: cell, file, label, and the three predicted classes of each test page.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dgmp.analysis.ensemble import average_probabilities, majority_vote
from dgmp.metrics import ClassificationScores, evaluate_classification
from pipeline.evaluation.predictions import (
    Arrays,
    RunError,
    read_run_facts,
    read_test_set,
    require_same_pages,
    run_folder,
    script_cells,
    train_command,
)
from pipeline.settings.base import Task
from pipeline.settings.cells import Cell
from pipeline.settings.params import Params, load_params
from pipeline.shared.files import csv_text, write_text
from pipeline.shared.stage import run

KINDS = ("weighted", "unweighted", "majority")

log = logging.getLogger(__name__)


def combine_seeds(
    name: str, cell: Cell, params: Params
) -> tuple[dict[str, ClassificationScores], Arrays]:
    """Scores of the three ensembles over all seeds of a cell, and the first seed's predictions.

    Raises:
        RunError: a run is missing, damaged, or has no validation accuracy.
    """
    seeds = params.active.schedule(cell.task).seeds
    facts = read_run_facts(name, seeds, params)
    predictions = read_test_set(name, cell, seeds, params)
    weights = np.array([facts[seed].get("validation_score") for seed in seeds], dtype=float)
    for seed, weight in zip(seeds, weights, strict=True):
        if not np.isfinite(weight):
            raise RunError(
                f"{run_folder(name, params) / 'runs.json'}: seed {seed} has no "
                f"validation_score, which is its weight in the ensemble: run "
                f"`{train_command(name, params)}`"
            )
    first = predictions[seeds[0]]
    logits = np.stack([predictions[seed]["logits"] for seed in seeds])
    combined = {
        "weighted": average_probabilities(logits, weights),
        "unweighted": average_probabilities(logits),
        "majority": majority_vote(logits),
    }
    return {
        kind: evaluate_classification(scores, first["labels"], first["classes"])
        for kind, scores in combined.items()
    }, first


def combine_cells(params: Params) -> Path:
    """Write the ensembles of all script cells; returns the file of their scores."""
    rows: list[Sequence[Any]] = [("cell", "models", *KINDS)]
    pages: list[Sequence[Any]] = [("cell", "file", "label", *KINDS)]
    pages_of: dict[Task, tuple[Arrays, Path]] = {}
    for name, cell in script_cells(params).items():
        models = len(params.active.schedule(cell.task).seeds)
        scores, first = combine_seeds(name, cell, params)
        folder = run_folder(name, params)
        require_same_pages(*pages_of.setdefault(cell.task, (first, folder)), first, folder)
        rows.append((name, models, *(f"{scores[kind].accuracy:.6f}" for kind in KINDS)))
        predicted = [first["classes"][scores[kind].predictions] for kind in KINDS]
        own = zip(first["files"], first["labels"], *predicted, strict=True)
        pages += [(name, *page) for page in own]
    folder = params.data / "ensemble"
    write_text(folder / "pages.csv", csv_text(pages))
    write_text(folder / "scores.csv", csv_text(rows))
    return folder / "scores.csv"


def main() -> None:
    log.info("ensembles of all seeds: %s", combine_cells(load_params()))


if __name__ == "__main__":
    run(main)

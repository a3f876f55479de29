"""Stage ensemble: test logits of all seeds of a script cell -> accuracies of their ensembles.

Reads data/<profile>/train/<cell>/, writes data/<profile>/ensemble/scores.csv: cell, models, and
the percent accuracies weighted (section IV-C.2 of the paper), unweighted and majority.
"""

from __future__ import annotations

import csv
import logging
from pathlib import Path

import numpy as np

from dgmp.ensemble import average_probabilities, majority_vote
from dgmp.metrics import evaluate_classification
from pipeline.command import run
from pipeline.evaluate import (
    RunError,
    csv_text,
    read_run_facts,
    read_test_set,
    run_folder,
    train_command,
    write_text,
)
from pipeline.params import Cell, Params, load_params

COLUMNS = ("cell", "models", "weighted", "unweighted", "majority")

log = logging.getLogger(__name__)


def script_cells(params: Params) -> dict[str, Cell]:
    """The cells that have an ensemble: those of the classification tasks."""
    return {name: cell for name, cell in params.cells.items() if cell.task != "writers"}


def ensemble_scores(name: str, cell: Cell, params: Params) -> dict[str, float]:
    """Accuracies in percent of the three ensembles over all seeds of one cell.

    Raises:
        RunError: if a run is missing, damaged, or has no validation accuracy.
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
    labels, classes = predictions[seeds[0]]["labels"], predictions[seeds[0]]["classes"]
    logits = np.stack([predictions[seed]["logits"] for seed in seeds])
    combined = {
        "weighted": average_probabilities(logits, weights),
        "unweighted": average_probabilities(logits),
        "majority": majority_vote(logits),
    }
    return {
        kind: evaluate_classification(scores, labels, classes).accuracy
        for kind, scores in combined.items()
    }


def read_ensembles(params: Params) -> dict[str, float]:
    """Accuracy in percent of the paper's (weighted) ensemble, by script cell.

    Raises:
        RunError: if the file or a cell is missing, or a cell has another number of models than
            params.yaml has seeds.
    """
    file = params.data / "ensemble" / "scores.csv"
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            rows = {row["cell"]: row for row in csv.DictReader(lines)}
    except FileNotFoundError:
        raise RunError(f"{file} is missing: run `dvc repro ensemble`") from None
    for name, cell in script_cells(params).items():
        models = len(params.active.schedule(cell.task).seeds)
        if name not in rows or rows[name]["models"] != str(models):
            raise RunError(
                f"{file} has no ensemble of {models} models for cell {name}: run "
                f"`dvc repro ensemble`"
            )
    return {name: float(rows[name]["weighted"]) for name in script_cells(params)}


def combine_cells(params: Params) -> Path:
    """Write the ensembles of all script cells; returns the file."""
    rows = []
    for name, cell in script_cells(params).items():
        models = len(params.active.schedule(cell.task).seeds)
        scores = ensemble_scores(name, cell, params)
        rows.append([name, models, *(f"{scores[kind]:.6f}" for kind in COLUMNS[2:])])
    file = params.data / "ensemble" / "scores.csv"
    write_text(file, csv_text([COLUMNS, *rows]))
    return file


def main() -> None:
    log.info("ensembles of all seeds: %s", combine_cells(load_params()))


if __name__ == "__main__":
    run(main)

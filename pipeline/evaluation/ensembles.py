"""The runs of a script cell as one classifier, section IV-C.2 of the paper."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dgmp.analysis.ensemble import average_probabilities, majority_vote
from dgmp.metrics import evaluate_classification
from pipeline.evaluation.predictions import (
    RunError,
    read_run_facts,
    read_test_set,
    run_folder,
    seeds_of,
    train_command,
)
from pipeline.shared.settings.params import Params

KINDS = ["weighted", "unweighted", "majority"]


def combine_seeds(params: Params, name: str) -> tuple[dict[str, float], pd.DataFrame]:
    """Accuracies in percent of a cell's three ensembles, and the classes that they predict.

    The weighted one is the paper's. The table has a row a page: file, label, and a column a kind.

    Raises:
        RunError: a run has no validation accuracy, which is its weight.
    """
    cell = params.cells[name]
    seeds = seeds_of(name, cell, params)
    facts = read_run_facts(name, seeds, params)
    weights = np.array([facts[seed].get("validation_score") for seed in seeds], dtype=float)
    for seed in np.array(seeds)[~np.isfinite(weights)]:
        raise RunError(
            f"{run_folder(name, params) / 'runs.json'}: seed {seed} has no validation_score, which "
            f"is its weight in the ensemble: run `{train_command(name, params)}`"
        )
    predictions = list(read_test_set(name, cell, seeds, params).values())
    logits = np.stack([arrays["logits"] for arrays in predictions])
    first = predictions[0]
    found = {
        kind: evaluate_classification(scores, first["labels"], first["classes"])
        for kind, scores in zip(
            KINDS,
            (
                average_probabilities(logits, weights),
                average_probabilities(logits),
                majority_vote(logits),
            ),
            strict=True,
        )
    }
    pages = {kind: first["classes"][one.predictions] for kind, one in found.items()}
    pages = {"file": first["files"], "label": first["labels"], **pages}
    return {kind: one.accuracy for kind, one in found.items()}, pd.DataFrame(pages)


def combine_cells(params: Params) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The ensembles of all script cells, a row each, and their predictions, a row a page."""
    rows, pages = [], []
    for name, cell in params.cells.items():
        if cell.task != "writers":
            scores, predicted = combine_seeds(params, name)
            rows.append({"cell": name, "models": len(seeds_of(name, cell, params)), **scores})
            pages.append(predicted.assign(cell=name))
    columns = ["cell", "file", "label", *KINDS]
    return pd.DataFrame(rows, columns=["cell", "models", *KINDS]), (
        pd.concat(pages)[columns] if pages else pd.DataFrame(columns=columns)
    )

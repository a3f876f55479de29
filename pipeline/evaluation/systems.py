"""Scores of the systems: each step of the chain by retrieval, script types by accuracy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dgmp.metrics import evaluate_classification, evaluate_ranking
from pipeline.evaluation.predictions import PAGE_COLUMNS, RunError
from pipeline.shared.settings.base import SCRIPT_TASKS
from pipeline.shared.settings.params import Params
from pipeline.shared.settings.systems import STEPS, Step

SYSTEM_COLUMNS = [
    *("cell", "system", "task", "step", "seed", "mAP", "top1", "accuracy"),
    *("balanced_accuracy", "without_information", "seconds"),
]

STEP_NAMES: dict[Step, str] = {
    "raw": "raw",
    "whitened": "whitened",
    "esvm": "E-SVM",
    "reranked": "re-ranked",
}


def system_cell(name: str, step: str) -> str:
    """The name of a system at a step of its chain, or at a script task, as of a cell.

    >>> system_cell("sift-gmp", "esvm")
    'sift-gmp/esvm'
    """
    return f"{name}/{step}"


def measure_systems(params: Params) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores in percent of all runs of all systems at each step, and those of their test pages.

    A test page without information, which has no neighbours, counts as a query without a hit.

    Returns:
        The columns of `SYSTEM_COLUMNS`, where `seconds` are those of all pages up to this step, and
        those of `PAGE_COLUMNS`.

    Raises:
        RunError: naming the file that cannot be scored.
    """
    rows, pages = [], []
    for name in params.systems:
        folder = params.data / "encode" / name
        spent = {one["seed"]: one for one in json.loads((folder / "seconds.json").read_text())}
        for seed in params.system_seeds(name):
            for step, scores, scored in _steps(folder / f"seed{seed}.npz"):
                cell = system_cell(name, step)
                row = {"cell": cell, "system": name, "task": "writers", "step": step, "seed": seed}
                rows.append(row | scores | {"seconds": _seconds(spent[seed], step)})
                pages.append(scored.assign(cell=cell, seed=seed))
            for task in SCRIPT_TASKS:
                file = folder / f"{task}-seed{seed}.npz"
                if file.is_file():
                    scores, scored = _script_types(file)
                    cell = system_cell(name, task)
                    row = {"cell": cell, "system": name, "task": task, "seed": seed}
                    rows.append(row | scores)
                    pages.append(scored.assign(cell=cell, seed=seed))
    found = pd.concat(pages) if pages else pd.DataFrame()
    return (
        pd.DataFrame(rows, columns=SYSTEM_COLUMNS).astype({"without_information": "Int64"}),
        found.reindex(columns=PAGE_COLUMNS).astype({"average_precision": float, "top1": "Int64"}),
    )


def read_systems(params: Params) -> pd.DataFrame:
    """Scores of all runs of all systems, see `measure_systems`."""
    return pd.read_csv(params.data / "evaluate" / "systems.csv")


def _steps(file: Path) -> Iterator[tuple[Step, dict[str, float], pd.DataFrame]]:
    with np.load(file, allow_pickle=False) as archive:
        labels, files, empty = (archive[k] for k in ("labels", "files", "without_information"))
        for step in STEPS:
            yield step, *_ranking(archive[step], labels, files, empty, file)


def _ranking(
    distances: NDArray[np.floating],
    labels: NDArray[np.str_],
    files: NDArray[np.str_],
    empty: NDArray[np.bool_],
    file: Path,
) -> tuple[dict[str, float], pd.DataFrame]:
    try:
        ranked = evaluate_ranking(distances, labels)
    except ValueError as error:
        raise RunError(f"{file}: {error}") from None
    precision = np.where(empty & ranked.scored, 0.0, ranked.average_precision)
    hits = ranked.top1_hits & ~empty
    scores = {
        "mAP": 100 * float(precision[ranked.scored].mean()),
        "top1": 100 * float(hits[ranked.scored].mean()),
        "without_information": int(empty.sum()),
    }
    top1 = np.where(ranked.scored, hits, np.nan)
    pages = {"file": files, "label": labels, "average_precision": precision, "top1": top1}
    return scores, pd.DataFrame(pages)


def _script_types(file: Path) -> tuple[dict[str, float], pd.DataFrame]:
    with np.load(file, allow_pickle=False) as archive:
        arrays = dict(archive)
    classes, labels = arrays["classes"], arrays["labels"]
    try:
        found = evaluate_classification(arrays["logits"], labels, classes)
    except ValueError as error:
        raise RunError(f"{file}: {error}") from None
    predicted = classes[found.predictions]
    scores = {"accuracy": found.accuracy, "balanced_accuracy": found.balanced_accuracy}
    return scores, pd.DataFrame({"file": arrays["files"], "label": labels, "predicted": predicted})


def _seconds(spent: Mapping[str, Any], step: Step) -> float:
    """Seconds of encoding and of the chain up to a step."""
    done = STEPS[: STEPS.index(step) + 1]
    return float(spent["encode"]) + sum(float(spent[one]) for one in done)

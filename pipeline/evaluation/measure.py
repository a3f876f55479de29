"""Scores of the runs' predictions of the test set, as a whole and page by page."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from dgmp.metrics import Distance, evaluate_classification, evaluate_retrieval
from pipeline.evaluation.pooling_names import pooling_label
from pipeline.evaluation.predictions import (
    PAGE_COLUMNS,
    Arrays,
    RunError,
    read_predictions,
    read_run_facts,
    read_test_set,
    run_folder,
    seeds_of,
)
from pipeline.evaluation.results import MAIN_SCORES, SCORE_COLUMNS
from pipeline.shared.settings.base import Task
from pipeline.shared.settings.cells import Cell
from pipeline.shared.settings.params import Params


def score_file(file: Path, task: Task, distance: Distance = "sqeuclidean") -> dict[str, float]:
    """Main test scores of one prediction file in percent: mAP and top1, or accuracy.

    Raises:
        RunError: naming the file and what is wrong in it.
    """
    scores, _ = _score(read_predictions(file, task), file, task, distance)
    return {name: scores[name] for name in MAIN_SCORES if name in scores}


def measure(params: Params) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of all trained and untrained runs, a row each, and those of their test pages.

    Returns:
        The columns of `SCORE_COLUMNS`, in percent, and those of `PAGE_COLUMNS`: the average
        precision is in [0, 1]; it and the top-1 hit are empty for a page without a relevant one.

    Raises:
        RunError: naming the file of predictions that cannot be scored.
    """
    rows: list[dict[str, Any]] = []
    pages: list[pd.DataFrame] = []
    for name, cell in {**params.cells, **params.untrained}.items():
        facts = read_run_facts(name, seeds_of(name, cell, params), params)
        for seed, arrays, file in _runs(name, cell, params):
            scores, scored = _score(arrays, file, cell.task, params.active.writers.distance)
            score = facts[seed].get("validation_score")
            run = {
                "cell": name,
                "task": cell.task,
                "pooling": cell.pooling,
                "margin": cell.margin,
                "seed": seed,
                "validation_score": score if score is not None and math.isfinite(score) else None,
                "best_epoch": facts[seed].get("best_epoch"),
                "collapsed": bool(facts[seed].get("collapsed", False)),
                "trained": name in params.cells,
                "pooling_name": pooling_label(params.poolings[cell.pooling]),
            }
            rows.append(run | scores)
            pages.append(scored.assign(cell=name, seed=seed))
    runs = pd.DataFrame(rows, columns=SCORE_COLUMNS).astype({"best_epoch": "Int64"})
    return runs, pd.concat(pages)[PAGE_COLUMNS].astype(
        {"average_precision": float, "top1": "Int64"}
    )


def compare_distances(params: Params) -> pd.DataFrame:
    """The writers' runs ranked by either distance of the page descriptors, a row each.

    Page descriptors are means of unit vectors; the cosine is squared Euclidean distance on means
    of unit length. A run with a descriptor of zeros has no cosine.
    """
    rows = []
    for name, cell in params.cells.items():
        for seed, arrays, file in _runs(name, cell, params) if cell.task == "writers" else ():
            row: dict[str, Any] = {"cell": name, "seed": seed}
            for distance in get_args(Distance):
                if distance == "cosine" and not arrays["descriptors"].any(axis=1).all():
                    continue
                scores, _ = _score(arrays, file, cell.task, distance)
                row |= {f"{kind}_{distance}": scores[kind] for kind in ("mAP", "top1")}
            rows.append(row)
    kinds = [f"{kind}_{distance}" for distance in get_args(Distance) for kind in ("mAP", "top1")]
    return pd.DataFrame(rows, columns=["cell", "seed", *kinds])


def _runs(name: str, cell: Cell, params: Params) -> Iterator[tuple[int, Arrays, Path]]:
    for seed, arrays in read_test_set(name, cell, seeds_of(name, cell, params), params).items():
        yield seed, arrays, run_folder(name, params) / f"seed{seed}.npz"


def _score(
    arrays: Arrays, file: Path, task: Task, distance: Distance
) -> tuple[dict[str, float], pd.DataFrame]:
    """Scores in percent, and a row a page."""
    labels = arrays["labels"]
    pages: dict[str, Any] = {"file": arrays["files"], "label": labels}
    pages |= dict.fromkeys(("average_precision", "top1", "predicted"))
    try:
        if task != "writers":
            classes = arrays["classes"]
            found = evaluate_classification(arrays["logits"], labels, classes)
            pages["predicted"] = classes[found.predictions]
            scores = {"accuracy": found.accuracy, "balanced_accuracy": found.balanced_accuracy}
            return scores, pd.DataFrame(pages)
        ranked = evaluate_retrieval(arrays["descriptors"], labels, distance=distance)
    except ValueError as error:
        raise RunError(f"{file}: {error}") from None
    pages["average_precision"] = np.where(ranked.scored, ranked.average_precision, np.nan)
    pages["top1"] = np.where(ranked.scored, ranked.top1_hits, np.nan)
    scores = {"mAP": ranked.mean_average_precision, "top1": ranked.top1}
    scores |= {f"soft_top{k}": ranked.soft_top(k) for k in (5, 10)}
    scores |= {f"hard_top{k}": ranked.hard_top(k) for k in (2, 3, 4)}
    return scores | {"precision_at4": ranked.precision_at(4)}, pd.DataFrame(pages)

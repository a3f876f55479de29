"""One training run: a cell with a seed, from the data to predictions on the test set."""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.torch import save_file
from tqdm import tqdm

from dgmp.learning.log import Fit
from pipeline.settings.params import Params
from pipeline.training.compute import build_accelerator
from pipeline.training.run import Outcome, Run, Workshop
from pipeline.training.script_classification import train_scripts
from pipeline.training.task_data import TaskData
from pipeline.training.writer_retrieval import train_writers

log = logging.getLogger(__name__)

LOG_COLUMNS = [
    "seed",
    "epoch",
    "loss",
    "active_triplets",
    "validation_error",
    "pooling_parameter",
    "learning_rate",
    "spread",
]


def train_run(
    params: Params,
    run: Run,
    data: TaskData[Any],
    folder: Path,
    *,
    checkpoints: Path,
    position: int = 0,
) -> Fit:
    """Train, keep the epoch of the best validation error, predict the test set, write files.

    Of several processes that train together the main one writes.

    Args:
        params: All settings.
        run: What to train.
        data: Of the run's task.
        folder: Gets weights.safetensors, predictions.npz, epochs.csv and run.json.
        checkpoints: Folder of the run's checkpoints; training goes on from the newest.
        position: Line of the progress bar.

    Returns:
        The log.
    """
    accelerator = build_accelerator(params.compute)
    main = accelerator.is_main_process
    train = train_writers if run.cell.task == "writers" else train_scripts
    schedule = params.active.schedule(run.cell.task)
    with tqdm(
        total=schedule.epochs if run.trained else 0,
        desc=f"{run.name} seed {run.seed}",
        unit="epoch",
        position=position,
        leave=False,
        disable=None if main else True,
    ) as bar:
        outcome = train(params, run, data, Workshop(accelerator, bar, checkpoints))
    if main:
        _write(run, outcome, folder)
    return outcome.fit


def _write(run: Run, outcome: Outcome, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    state = outcome.model.state_dict()
    save_file(
        {key: value.contiguous() for key, value in state.items()}, folder / "weights.safetensors"
    )
    np.savez(folder / "predictions.npz", **outcome.predictions)  # type: ignore[arg-type]
    rows = [{"seed": run.seed} | dataclasses.asdict(epoch) for epoch in outcome.fit.epochs]
    pd.DataFrame(rows, columns=LOG_COLUMNS).to_csv(folder / "epochs.csv", index=False)
    summary = {
        "seed": run.seed,
        "best_epoch": outcome.fit.best_epoch,
        "validation_score": round(100 - outcome.fit.best_error, 4),
        "collapsed": outcome.collapsed,
        "short_writers": outcome.short_writers,
    }
    (folder / "run.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    log.info(
        "%s seed %d: validation %.1f in epoch %d of %d%s",
        run.name,
        run.seed,
        summary["validation_score"],
        outcome.fit.best_epoch,
        len(outcome.fit.epochs),
        "; COLLAPSED, all descriptors are alike" if outcome.collapsed else "",
    )

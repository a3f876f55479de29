"""Training of the runs of a cell, on a CPU several at a time.

A run that is found in the store of runs is not trained: a new seed leaves the others alone.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from dgmp.files import whole_folder
from dgmp.learning.loop import processes_of
from dgmp.learning.processes import ALONE, Processes
from pipeline.inputs.task_data import TaskInputs, load_inputs
from pipeline.shared.launcher import is_main
from pipeline.shared.memory import keep_freed_memory
from pipeline.shared.provenance import PROVENANCE, digest_of, surroundings
from pipeline.shared.settings.base import Task
from pipeline.shared.settings.params import Params
from pipeline.training.compute import (
    build_accelerator,
    describe_device,
    kind_of_device,
    process_count,
)
from pipeline.training.run import Outcome, Run, Workshop
from pipeline.training.run_store import (
    StoredRun,
    digests,
    remove_checkpoints,
    stored_run,
)

log = logging.getLogger(__name__)


def train_cell(params: Params, runs: Sequence[Run], output: Path) -> None:
    """Train what is not finished yet, and write the cell's outputs.

    On a CPU several runs are trained at a time; on a GPU one after the other in this process. In
    processes that a launcher started together each run is trained by all of them, and the main one
    writes.

    Args:
        params: All settings; on a CPU `workers` runs are trained at once, one thread each.
        runs: Of one task, differing in their seeds.
        output: Gets seed<k>.safetensors, seed<k>.npz, curves.csv and runs.json.

    Raises:
        OSError: a training process was killed.
    """
    processes = _join(params)
    data = load_inputs(params, runs[0].cell.task)
    made_of = digests(params, data.files)
    stored = [stored_run(params, run, made_of) for run in runs]
    missing = _missing(stored, processes)
    if missing:
        _training_of(runs[0].cell.task)  # imported before processes are forked
    # One thread each keeps the arithmetic, and so the result, independent of the number of cores
    # and of how many runs are missing.
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    keep_freed_memory()
    workers = min(params.active.workers, len(missing)) if processes.count == 1 else 1
    if kind_of_device() == "cuda":  # shared by all runs, and lost to forked processes
        workers = 1
    train = partial(_train, params, data, surroundings() if missing else {})
    lines = [place % max(1, workers) for place in range(len(missing))]
    if workers <= 1 or sys.platform != "linux":  # elsewhere forking is not safe
        for one, line in zip(missing, lines, strict=True):
            train(one, line)
    else:
        # Forked children share the data and the imported libraries.
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            try:
                list(pool.map(train, missing, lines))
            except BrokenProcessPool:
                raise OSError(
                    f"{runs[0].name}: a training process was killed, most often for want of "
                    f"memory: lower profiles.{params.profile}.workers in params.yaml and run "
                    "again; finished seeds and epochs are kept"
                ) from None
    if processes.main:
        with whole_folder(output) as part:
            _collect(stored, part)


def _join(params: Params) -> Processes:
    """The processes that a launcher started with this one."""
    # Without a launcher an accelerator is made by each run, which may be a forked process.
    if process_count() == 1:
        return ALONE
    processes = processes_of(build_accelerator(params.compute))
    if processes.device.type == "cpu" and processes.main:
        log.warning(
            "%d processes on a CPU: batch statistics are not synchronized, so that the result "
            "depends on the number of processes",
            processes.count,
        )
    return processes


def _missing(stored: Sequence[StoredRun], processes: Processes) -> list[StoredRun]:
    # One process decides for all: another might already see a run that the first has finished.
    there = np.array([one.finished for one in stored], dtype=np.int64) * processes.main
    missing = []
    for one, finished in zip(stored, processes.all_reduce(there), strict=True):
        if not finished:
            missing.append(one)
            continue
        log.info(
            "%s seed %d: finished before, taken from %s", one.run.name, one.run.seed, one.folder
        )
        if processes.main:
            remove_checkpoints(one.folder)  # for which a killed run had no time
    return missing


def _train(
    params: Params, data: TaskInputs, around: dict[str, Any], stored: StoredRun, line: int
) -> None:
    begun, clock = datetime.now(UTC), time.monotonic()
    stored.begin()
    outcome = train_run(params, stored.run, data, stored.folder, line)
    if not is_main():
        return

    def write(part: Path) -> None:
        outcome.write(stored.run, part)
        record = around | {
            "run": stored.run.name,
            "seed": stored.run.seed,
            "weights": digest_of([part / "weights.safetensors"]),
            "device": describe_device(),
            "processes": process_count(),
            "compute": params.compute.model_dump(),
            "started": begun.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - clock, 1),
            "resumed_after": outcome.fit.resumed_after,
        }
        (part / PROVENANCE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

    stored.finish(write)


def train_run(
    params: Params, run: Run, data: TaskInputs, checkpoints: Path, line: int = 0
) -> Outcome:
    """Train, take the epoch of the best validation error, and predict the test set.

    Args:
        params: All settings.
        run: What to train.
        data: Of the run's task.
        checkpoints: Folder of the run's checkpoints; training goes on from the newest.
        line: Of the progress bar.
    """
    accelerator = build_accelerator(params.compute)
    train = _training_of(run.cell.task)
    schedule = params.active.schedule(run.cell.task)
    with tqdm(
        total=schedule.epochs if run.trained else 0,
        desc=f"{run.name} seed {run.seed}",
        unit="epoch",
        position=line,
        leave=False,
        disable=None if accelerator.is_main_process else True,
    ) as bar:
        return train(params, run, data, Workshop(accelerator, bar, checkpoints))


def _training_of(task: Task) -> Callable[[Params, Run, TaskInputs, Workshop], Outcome]:
    """How a run of the task is trained; the losses of writer retrieval are slow to import."""
    if task == "writers":
        from pipeline.training.writer_retrieval import train_writers

        return train_writers
    from pipeline.training.script_classification import train_scripts

    return train_scripts


def _collect(stored: Sequence[StoredRun], output: Path) -> None:
    summaries = []
    for one in stored:
        weights, name = one.result / "weights.safetensors", f"seed{one.run.seed}"
        shutil.copyfile(weights, output / f"{name}.safetensors")
        shutil.copyfile(one.result / "predictions.npz", output / f"{name}.npz")
        summary = json.loads((one.result / "run.json").read_text(encoding="utf-8"))
        made_from = {"fingerprint": one.fingerprint, "weights": digest_of([weights])}
        summaries.append(summary | made_from | {"parts": one.parts})
    curves = pd.concat([pd.read_csv(one.result / "epochs.csv") for one in stored])
    curves.to_csv(output / "curves.csv", index=False)
    (output / "runs.json").write_text(json.dumps(summaries, indent=2) + "\n", encoding="utf-8")

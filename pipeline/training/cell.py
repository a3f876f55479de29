"""Runs of one cell, each found again by what went into it: a new seed leaves the others alone.

DVC empties a stage's outputs before it runs it. The finished runs therefore lie beside them, in
data/<profile>/finished/<fingerprint>/, and are copied into the outputs. Checkpoints of unfinished
ones lie in data/<profile>/checkpoints/. With DGMP_RUNS both lie below the folder that it names.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch

from dgmp.learning.loop import processes_of
from dgmp.learning.processes import ALONE, Processes
from pipeline.settings.params import Params
from pipeline.shared.memory import keep_freed_memory
from pipeline.shared.provenance import PROVENANCE, device, digest_of, surroundings
from pipeline.training.compute import build_accelerator, kind_of_device, process_count
from pipeline.training.execute import train_run
from pipeline.training.fingerprint import Identity, identify
from pipeline.training.run import Run
from pipeline.training.run_store import checkpoint_folder, remove_checkpoints
from pipeline.training.task_data import TaskData, load_task

log = logging.getLogger(__name__)

CODE = (
    *(Path("dgmp") / f"{name}.py" for name in (
        "bound", "checkpoints", "cholesky", "classification", "conjugate_gradients", "distances",
        "functional", "global_pooling", "inference", "loading", "metrics", "models", "pooling",
        "processes", "retrieval", "ridge", "scripttypes", "training", "triplet", "writers",
    )),
    *(Path("dgmp/images") / f"{name}.py" for name in (
        "augmentation", "binarization", "edges", "pages", "patches",
    )),
    *(Path("pipeline") / f"{name}.py" for name in (
        "compute", "memory", "run", "script_run", "task_data", "train_run", "writer_run",
    )),
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """A run that is not finished yet."""

    run: Run
    identity: Identity
    folder: Path
    position: int


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
    data = load_task(params, runs[0].cell.task)
    weights = params.data / "pretrain" / "weights.safetensors"
    digests = {
        "data": digest_of([*sorted(data.folder.iterdir()), weights]),
        "code": digest_of(CODE),
    }
    identities = [identify(params, run, digests) for run in runs]
    folders = [params.runs / "finished" / identity.fingerprint for identity in identities]
    # One process decides for all: another might already see a run that the first has finished.
    there = np.array([folder.is_dir() for folder in folders], dtype=np.int64) * processes.main
    done = processes.total(there).astype(bool)
    for run, folder, finished in zip(runs, folders, done, strict=True):
        if finished:
            log.info("%s seed %d: finished before, taken from %s", run.name, run.seed, folder)
    # One thread each keeps the arithmetic, and so the result, independent of the number of cores
    # and of how many runs are missing.
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    keep_freed_memory()
    missing = [number for number, finished in enumerate(done) if not finished]
    workers = min(params.active.workers, len(missing)) if processes.count == 1 else 1
    if kind_of_device() == "cuda":  # shared by all runs, and lost to forked processes
        workers = 1
    jobs = [
        Job(runs[number], identities[number], folders[number], place % max(1, workers))
        for place, number in enumerate(missing)
    ]
    train = partial(_train_into, params, data, surroundings() if jobs else {})
    if workers <= 1 or sys.platform != "linux":  # elsewhere forking is not safe
        for job in jobs:
            train(job)
    else:
        # Forked children share the data and the imported libraries.
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            try:
                list(pool.map(train, jobs))
            except BrokenProcessPool:
                raise OSError(
                    f"{runs[0].name}: a training process was killed, most often for want of "
                    f"memory: lower profiles.{params.profile}.workers in params.yaml and run "
                    "again; finished seeds and epochs are kept"
                ) from None
    if processes.main:
        _collect(runs, identities, folders, output)


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


def _train_into(params: Params, data: TaskData[Any], around: dict[str, Any], job: Job) -> None:
    job.folder.parent.mkdir(parents=True, exist_ok=True)
    checkpoints = checkpoint_folder(params, job.run, job.identity)
    begun, clock = datetime.now(UTC), time.monotonic()
    with tempfile.TemporaryDirectory(dir=job.folder.parent, prefix=".training-") as temporary:
        part = Path(temporary) / "run"
        fit = train_run(params, job.run, data, part, checkpoints=checkpoints, position=job.position)
        if not part.is_dir():  # written by the main process
            return
        record = around | {
            "run": job.run.name,
            "seed": job.run.seed,
            "weights": digest_of([part / "weights.safetensors"]),
            "identity": job.identity.parts,
            "device": device(),
            "processes": process_count(),
            "compute": params.compute.model_dump(),
            "started": begun.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - clock, 1),
            "resumed_after": fit.resumed_after,
        }
        (part / PROVENANCE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        if not job.folder.is_dir():  # an equal run of another name may have ended first
            os.replace(part, job.folder)
    remove_checkpoints(params, job.run, job.identity)


def _collect(
    runs: Sequence[Run], identities: Sequence[Identity], folders: Sequence[Path], output: Path
) -> None:
    output.mkdir(parents=True, exist_ok=True)
    for run, folder in zip(runs, folders, strict=True):
        shutil.copyfile(folder / "weights.safetensors", output / f"seed{run.seed}.safetensors")
        shutil.copyfile(folder / "predictions.npz", output / f"seed{run.seed}.npz")
    curves = pd.concat([pd.read_csv(folder / "epochs.csv") for folder in folders])
    curves.to_csv(output / "curves.csv", index=False)
    summaries = [
        json.loads((folder / "run.json").read_text(encoding="utf-8"))
        | {
            "fingerprint": identity.fingerprint,
            "weights": digest_of([folder / "weights.safetensors"]),
            "identity": identity.parts,
        }
        for identity, folder in zip(identities, folders, strict=True)
    ]
    (output / "runs.json").write_text(json.dumps(summaries, indent=2) + "\n", encoding="utf-8")

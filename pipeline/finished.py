"""Runs of one cell, each found again by what went into it: a new seed leaves the others alone.

DVC empties a stage's outputs before it runs it. The finished runs therefore lie beside them, in
data/<profile>/finished/<fingerprint>/, and are copied into the outputs.
"""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import pandas as pd
import torch

from pipeline.memory import keep_freed_memory
from pipeline.params import Params
from pipeline.runs import Run, train_run
from pipeline.task_data import TaskData, load_task

log = logging.getLogger(__name__)

CODE = (
    *(Path("dgmp") / f"{name}.py" for name in (
        "bound", "cholesky", "conjugate_gradients", "functional", "global_pooling", "metrics",
        "models", "pooling", "ridge", "scripttypes", "training", "triplet", "writers",
    )),
    *(Path("dgmp/images") / f"{name}.py" for name in (
        "augmentation", "binarization", "edges", "pages", "patches",
    )),
    Path("pipeline/memory.py"),
    Path("pipeline/runs.py"),
    Path("pipeline/task_data.py"),
)  # fmt: skip

LIBRARIES = (
    "accelerate",
    "numpy",
    "opencv-python-headless",
    "pytorch-metric-learning",
    "torch",
    "torchvision",
)


def train_cell(params: Params, runs: Sequence[Run], output: Path) -> None:
    """Train what is not finished yet, several runs at a time, and write the cell's outputs.

    Args:
        params: All settings; `workers` runs are trained at once, one thread each.
        runs: Of one task, differing in their seeds.
        output: Gets seed<k>.safetensors, seed<k>.npz, curves.csv and runs.json.

    Raises:
        OSError: a training process was killed.
        ValueError: started as one of several processes.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError("training runs in one process: start it without accelerate or torchrun")
    data = load_task(params, runs[0].cell.task)
    weights = params.data / "pretrain" / "weights.safetensors"
    digest = _digest([*sorted(data.folder.iterdir()), weights, *CODE])
    folders = [params.data / "finished" / fingerprint(params, run, digest) for run in runs]
    missing = [(i, run) for i, run in enumerate(runs) if not folders[i].is_dir()]
    for run, folder in zip(runs, folders, strict=True):
        if folder.is_dir():
            log.info("%s seed %d: finished before, taken from %s", run.name, run.seed, folder)
    # One thread each keeps the arithmetic, and so the result, independent of the number of cores
    # and of how many runs are missing.
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    keep_freed_memory()
    workers = min(params.active.workers, len(missing))
    jobs = [(n % max(1, workers), run, folders[i]) for n, (i, run) in enumerate(missing)]
    train = partial(_train_into, params, data)
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
                    "again; finished seeds are kept"
                ) from None
    _collect(runs, folders, output)


def fingerprint(params: Params, run: Run, digest: str) -> str:
    """A name for the result of a run: settings, seed, data, code, libraries and device."""
    profile = params.active
    schedule = profile.schedule(run.cell.task).model_dump(exclude={"seeds"})
    content = {
        "cell": run.cell.model_dump(),
        "pooling": run.pooling.model_dump(),
        "seed": run.seed,
        "trained": run.trained,
        "backbone": profile.backbone.model_dump(),
        "schedule": schedule,
        "files": digest,
        "libraries": {name: version(name) for name in LIBRARIES},
        "device": "cuda" if torch.cuda.is_available() else "cpu",
    }
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _train_into(params: Params, data: TaskData[Any], job: tuple[int, Run, Path]) -> None:
    position, run, folder = job
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".training-") as temporary:
        train_run(params, run, data, Path(temporary) / "run", position=position)
        os.replace(Path(temporary) / "run", folder)


def _collect(runs: Sequence[Run], folders: Sequence[Path], output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    for run, folder in zip(runs, folders, strict=True):
        shutil.copyfile(folder / "weights.safetensors", output / f"seed{run.seed}.safetensors")
        shutil.copyfile(folder / "predictions.npz", output / f"seed{run.seed}.npz")
    curves = pd.concat([pd.read_csv(folder / "epochs.csv") for folder in folders])
    curves.to_csv(output / "curves.csv", index=False)
    summaries = [json.loads((folder / "run.json").read_text()) for folder in folders]
    (output / "runs.json").write_text(json.dumps(summaries, indent=2) + "\n", encoding="utf-8")


def _digest(paths: Sequence[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()

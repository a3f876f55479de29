"""A project of toy size, and the stage train in processes of its own."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from safetensors.torch import load, save_file

from dgmp.images.pages import write_pages
from dgmp.images.patches import PagePatches, PatchWriter
from dgmp.learning.backbones.resnet import narrow_resnet
from pipeline.shared.provenance import read_records
from pipeline.shared.settings.params import Params, load_params
from pipeline.training.run import Run

ROOT = Path(__file__).parents[3]
SETTINGS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
WRITERS, SCRIPTS = "writers-dgmp-1k-m01", "scripts-a-avg"
WIDTH = 2


def toy_settings(epochs: int = 4, **profile: Any) -> dict[str, Any]:
    settings = copy.deepcopy(SETTINGS) | {"profile": "scribes"}
    toy = settings["profiles"]["scribes"]
    toy |= {"workers": 1, "backbone": {"name": "narrow", "width": WIDTH}} | profile
    schedule = {"epochs": epochs, "decay_start": epochs // 2}
    # All of the network is trained, on images.
    schedule |= {"last_stride": 1, "trainable": None}
    batch = {"steps_per_epoch": 2, "writers_per_batch": 2, "patches_per_writer": 2}
    toy["writers"] |= schedule | batch | {"evaluation_batch": 16}
    toy["scripts_a"] |= schedule | {"batch_size": 4, "crop": 32, "evaluation_batch": 4}
    return settings


def params_of(settings: dict[str, Any]) -> Params:
    Path("params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return load_params()


def a_run(params: Params, seed: int = 0, cell: str = WRITERS, name: str | None = None) -> Run:
    chosen = params.cells[cell]
    return Run(name or cell, chosen, params.poolings[chosen.pooling], seed)


def files_of(folder: Path) -> dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def write_data() -> None:
    """Patches of three writers, pages of two script types, and starting weights."""
    rng = np.random.default_rng(0)
    data = Path("data/scribes")
    (data / "patches/writers").mkdir(parents=True)
    (data / "patches/scripts_a").mkdir()
    for split in ("train", "val", "test"):
        target = data / "patches/writers" / split
        with PatchWriter(target.with_suffix(".npy"), target.with_suffix(".csv"), 32) as writer:
            for page in range(6):
                bits = np.packbits(rng.random((3, 32, 32)) < 0.1 * (page % 3 + 1), axis=-1)
                found = PagePatches(bits, np.zeros((3, 2), int), np.ones(3, int), False, False)
                writer.add(f"{split}-{page}.png", f"w{page % 3}", found)
        target = data / "patches/scripts_a" / split
        pages = [
            (f"{split}-{i}.png", "ab"[i % 2], rng.integers(0, 256, (40, 48), dtype=np.uint8))
            for i in range(8)
        ]
        write_pages(target.with_suffix(".raw"), target.with_suffix(".csv"), pages)
    for task in ("writers", "scripts_a"):
        summary = json.dumps({"mean": 0.8, "sd": 0.4, "size": 32})
        (data / "patches" / task / "summary.json").write_text(summary, encoding="utf-8")
    (data / "weights").mkdir()
    torch.manual_seed(0)
    save_file(narrow_resnet(WIDTH).state_dict(), data / "weights/backbone.safetensors")


def start_stage(folder: Path, settings: dict[str, Any], **environment: str) -> subprocess.Popen:
    """`python -m pipeline.train` in a project folder, as DVC starts it."""
    for package in ("dgmp", "pipeline"):
        if not (folder / package).exists():
            (folder / package).symlink_to(ROOT / package)
    (folder / "params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.train", WRITERS],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"} | environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run_stage(**compute: Any) -> tuple[dict[str, torch.Tensor], pd.DataFrame, dict[str, Any]]:
    """Weights, log and provenance of a cell trained by the stage in the current folder."""
    settings = toy_settings()
    settings["compute"] |= compute
    # One size of batches in evaluation, so that little is compiled.
    settings["profiles"]["scribes"]["writers"] |= {"seeds": [0], "evaluation_batch": 64}
    stage = start_stage(Path(), settings)
    said = stage.communicate()[1]
    assert stage.returncode == 0, said
    output = Path("data/scribes/train") / WRITERS
    (run,) = json.loads((output / "runs.json").read_text(encoding="utf-8"))
    # Read whole: the next run writes into the same file, which load_file would map into memory.
    weights = load((output / "seed0.safetensors").read_bytes())
    return weights, pd.read_csv(output / "curves.csv"), read_records(load_params())[run["weights"]]

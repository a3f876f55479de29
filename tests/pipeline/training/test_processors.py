"""Another processor, and another number of threads, give the same scores."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import yaml

from dgmp.images.patches import PatchWriter, select_patches
from dgmp.metrics import evaluate_retrieval
from dgmp.scribes import SCRIPT_TYPES, draw_scribe, write_page
from tests.pipeline.training.toy import ROOT, toy_settings

CELL, SIZE = "writers-dgmp-1k-m01", 96
STAGES = f"""
import sys
from pipeline import train, trunk, weights
for stage, task in ((weights, []), (trunk, ["writers"]), (train, ["{CELL}"])):
    sys.argv[1:] = task
    stage.main()
"""
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}


class Trained(NamedTuple):
    """Descriptors of the test pages, their mAP, and the weights' bytes."""

    descriptors: np.ndarray
    mAP: float  # noqa: N815 - as in the paper
    weights: bytes


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """Patches of synthetic scribes, and settings of a cell with a frozen trunk."""
    folder = tmp_path_factory.mktemp("processors")
    data = folder / "data/scribes/patches/writers"
    data.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for split, scribes in (("train", 6), ("val", 4), ("test", 16)):
        with PatchWriter(data / f"{split}.npy", data / f"{split}.csv", SIZE) as writer:
            for number in range(scribes):
                scribe = draw_scribe(SCRIPT_TYPES[number % len(SCRIPT_TYPES)], rng)
                for page in range(3):
                    grey = write_page(scribe, rng, height=200, width=200, line_pitch=32)
                    binary = np.where(grey < 128, 0, 255).astype(np.uint8)
                    found = select_patches(binary, size=SIZE, stride=SIZE, sigma=1, threshold=10)
                    writer.add(f"{split}-{number}-{page}.png", f"w{number}", found)
    summary = json.dumps({"mean": 0.85, "sd": 0.36, "size": SIZE})
    (data / "summary.json").write_text(summary, encoding="utf-8")
    settings = toy_settings(2)
    profile = settings["profiles"]["scribes"]
    profile["backbone"] = {"name": "efficientnet-lite0", "width": 8}
    profile["writers"] |= {"seeds": [0], "trainable": 2, "last_stride": 2, "steps_per_epoch": 5}
    (folder / "params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    for package in ("dgmp", "pipeline"):
        (folder / package).symlink_to(ROOT / package)
    return folder


def trained(project: Path, store: Path, **environment: str) -> Trained:
    around = os.environ | {"DGMP_RUNS": str(store), "OMP_NUM_THREADS": "1"} | environment
    subprocess.run([sys.executable, "-c", STAGES], cwd=project, env=around, check=True)
    output = project / "data/scribes/train" / CELL
    with np.load(output / "seed0.npz") as arrays:
        descriptors, labels = arrays["descriptors"], arrays["labels"]
    scores = evaluate_retrieval(descriptors, labels)
    weights = (output / "seed0.safetensors").read_bytes()
    return Trained(descriptors, scores.mean_average_precision, weights)


@pytest.mark.slow
def test_property_scores_do_not_depend_on_threads_and_hardly_on_the_processor(project, tmp_path):
    first = trained(project, tmp_path / "first")
    again = trained(project, tmp_path / "again", OMP_NUM_THREADS="2")
    assert again.weights == first.weights
    np.testing.assert_array_equal(again.descriptors, first.descriptors)
    other = trained(project, tmp_path / "other", **AVX2)
    assert 20 < first.mAP < 100, "scores that could move"
    assert abs(other.mAP - first.mAP) <= 0.5
    np.testing.assert_allclose(other.descriptors, first.descriptors, atol=2e-3)

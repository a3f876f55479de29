"""Every switch of docs/protocol.md reaches training: it changes weights, scores or curves."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from dgmp.images.pages import write_pages
from dgmp.images.patches import PagePatches, PatchWriter
from dgmp.learning.backbones.resnet import narrow_resnet
from pipeline.shared.settings.params import load_params
from pipeline.training.cell import train_cell
from pipeline.training.run import Run

ROOT = Path(__file__).parents[4]
WRITERS, BASELINE, SCRIPTS = "writers-dgmp-1k-m01", "writers-avg-m01", "scripts-b-dgmp-5k"
SIZE, WIDTH = 32, 2


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """Patches of four writers, pages of two script types, and starting weights."""
    folder = tmp_path_factory.mktemp("switches")
    data = folder / "data" / "scribes"
    rng = np.random.default_rng(0)
    for task in ("writers", "scripts_b"):
        (data / "patches" / task).mkdir(parents=True)
        summary = json.dumps({"mean": 0.8, "sd": 0.4, "size": SIZE})
        (data / "patches" / task / "summary.json").write_text(summary, encoding="utf-8")
    for split in ("train", "val", "test"):
        target = data / "patches/writers" / split
        with PatchWriter(target.with_suffix(".npy"), target.with_suffix(".csv"), SIZE) as writer:
            for page in range(12):
                # Unequal numbers of patches: means of pages differ in length.
                count = 2 + page % 4
                ink = rng.random((count, SIZE, SIZE)) < 0.05 * (page % 4 + 1)
                corners, edges = np.zeros((count, 2), int), np.ones(count, int)
                found = PagePatches(np.packbits(ink, axis=-1), corners, edges, False, False)
                writer.add(f"{split}-{page}.png", f"w{page % 4}", found)
        target = data / "patches/scripts_b" / split
        pages = [
            (f"{i}.png", "ab"[i % 2], rng.integers(150, 256, (60, 75), dtype=np.uint8))
            for i in range(8)
        ]
        write_pages(target.with_suffix(".raw"), target.with_suffix(".csv"), pages)
    (data / "weights").mkdir()
    torch.manual_seed(0)
    save_file(narrow_resnet(WIDTH).state_dict(), data / "weights/backbone.safetensors")
    return folder


@pytest.fixture(autouse=True)
def _inside(project, monkeypatch):
    monkeypatch.chdir(project)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


class Trained:
    """What a run with some settings leaves."""

    def __init__(self, name: str, changes: dict[str, Any]) -> None:
        settings = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        settings["profile"] = "scribes"
        profile = settings["profiles"]["scribes"]
        profile |= {"workers": 1, "backbone": {"name": "narrow", "width": WIDTH}}
        schedule = {"epochs": 3, "decay_start": 1, "evaluation_batch": 16}
        schedule |= {"last_stride": 1, "trainable": None}
        # The last model shows what all epochs did.
        schedule["tested_model"] = "final"
        batch = {"steps_per_epoch": 2, "writers_per_batch": 4, "patches_per_writer": 3}
        profile["writers"] |= schedule | batch
        profile["scripts_b"] |= schedule | {"batch_size": 3, "crop": SIZE}
        section = profile["writers" if name.startswith("writers") else "scripts_b"]
        for key, value in copy.deepcopy(changes).items():
            inner = section["augmentation"] if key in AUGMENTATION else section
            inner[key] = value
        Path("params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        params = load_params()
        cell = params.cells[name]
        output = Path("out") / f"{name}-{len(list(Path('out').glob('*')))}"
        train_cell(params, [Run(name, cell, params.poolings[cell.pooling], 0)], output)
        self.weights = load_file(output / "seed0.safetensors")
        self.curves = pd.read_csv(output / "curves.csv")

    def differs_from(self, other: "Trained") -> bool:
        return any(not torch.equal(value, other.weights[k]) for k, value in self.weights.items())


AUGMENTATION = ("rotation_sampling", "corners", "jitter")


@pytest.fixture(scope="module")
def plain(project) -> dict[str, Trained]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        return {name: Trained(name, {}) for name in (WRITERS, BASELINE, SCRIPTS)}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        (WRITERS, {"mining": "all-positives"}),
        (WRITERS, {"loss_distance": "sqeuclidean"}),
        (WRITERS, {"reduction": "sum"}),
        (WRITERS, {"resize": 24}),
        (WRITERS, {"standardize": False}),
        (BASELINE, {"normalize": False}),
        (WRITERS, {"pooling_weight_decay": 0.5}),
        (WRITERS, {"keep_pooling_multiplier": False}),
        (SCRIPTS, {"pooling_weight_decay": 0.5}),
        (SCRIPTS, {"keep_pooling_multiplier": False}),
        (SCRIPTS, {"mean": 0.7, "sd": 0.2}),
        (SCRIPTS, {"resampling": "bilinear"}),
        (SCRIPTS, {"rotation_sampling": "nearest"}),
        (SCRIPTS, {"corners": "black"}),
        (SCRIPTS, {"jitter": "shuffled"}),
    ],
    ids=str,
)
def test_a_switch_changes_the_weights(plain, name, changes):
    changed = Trained(name, changes)
    assert changed.differs_from(plain[name])
    again = Trained(name, {})
    assert not again.differs_from(plain[name])


def test_the_multiplier_is_lost_in_the_decay_phase_for_lambda_alone(plain):
    lost = Trained(WRITERS, {"keep_pooling_multiplier": False})
    np.testing.assert_array_equal(lost.curves.learning_rate, plain[WRITERS].curves.learning_rate)
    steps = [np.abs(np.diff(one.curves.pooling_parameter)) for one in (plain[WRITERS], lost)]
    assert lost.curves.pooling_parameter[0] == plain[WRITERS].curves.pooling_parameter[0]
    assert steps[1].max() < 0.01 * steps[0].max()


@pytest.mark.parametrize("name", [WRITERS, SCRIPTS])
def test_the_tested_model_is_the_last_on_demand(name, plain):
    # The first epoch alone is validated, so that it is the best.
    only_first = {"validate_every": 3} if name == WRITERS else {"learning_rate": 1e-9}
    best, final = (Trained(name, only_first | {"tested_model": kind}) for kind in ("best", "final"))
    if name == WRITERS:
        assert best.curves.validation_error.notna().tolist() == [True, False, False]
    assert final.differs_from(best)


def test_pages_are_ranked_by_the_distance_of_the_settings(plain):
    # Ranked otherwise in validation, trained alike.
    one, other = plain[WRITERS].curves, Trained(WRITERS, {"distance": "cosine"}).curves
    np.testing.assert_array_equal(one.loss, other.loss)
    assert (one.validation_error != other.validation_error).any()


def test_the_last_batch_of_the_validation_counts_as_wrong(plain):
    whole, dropped = plain[SCRIPTS], Trained(SCRIPTS, {"validation_drops_last": True})
    # Two of eight pages are left out where three are a batch.
    assert (dropped.curves.validation_error >= 25).all()
    assert (dropped.curves.validation_error >= whole.curves.validation_error).all()
    assert (dropped.curves.validation_error - whole.curves.validation_error <= 25).all()
    assert (dropped.curves.validation_error != whole.curves.validation_error).any()

import copy
import json
import logging
import os
import signal
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
from dgmp.learning.log import Fit
from dgmp.learning.loop import DivergedError
from dgmp.learning.models import NarrowResNet
from pipeline.settings.params import Params, load_params
from pipeline.settings.training import Writers
from pipeline.training import cell as finished
from pipeline.training.cell import train_cell
from pipeline.training.execute import LOG_COLUMNS
from pipeline.training.fingerprint import identify
from pipeline.training.run import Run

ROOT = Path(__file__).parents[3]
CELL = "writers-dgmp-1k-m01"
WIDTH = 2
FLAGS = ("channels_last", "compile")


def toy_settings() -> dict[str, Any]:
    settings = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    settings["profile"] = "scribes"
    profile = settings["profiles"]["scribes"]
    profile["workers"] = 1
    profile["backbone"] = {"name": "narrow", "width": WIDTH}
    profile["writers"] |= {"epochs": 2, "steps_per_epoch": 2, "writers_per_batch": 2}
    profile["writers"] |= {"patches_per_writer": 2, "evaluation_batch": 16, "decay_start": 1}
    profile["scripts_a"] |= {"epochs": 2, "batch_size": 4, "crop": 32, "evaluation_batch": 4}
    return settings


def write_data() -> None:
    """Patches of three writers, pages of two script types, starting weights, and some code."""
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
            (f"{i}.png", "ab"[i % 2], rng.integers(0, 256, (40, 48), dtype=np.uint8))
            for i in range(8)
        ]
        write_pages(target.with_suffix(".raw"), target.with_suffix(".csv"), pages)
    for task in ("writers", "scripts_a"):
        summary = json.dumps({"mean": 0.8, "sd": 0.4})
        (data / "patches" / task / "summary.json").write_text(summary, encoding="utf-8")
    (data / "pretrain").mkdir()
    torch.manual_seed(0)
    save_file(NarrowResNet(WIDTH).state_dict(), data / "pretrain/weights.safetensors")
    Path("code.py").write_text("# first version\n", encoding="utf-8")


@pytest.fixture(autouse=True)
def _toy_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(finished, "CODE", (Path("code.py"),))
    threads = torch.get_num_threads()
    write_data()
    yield
    torch.set_num_threads(threads)


def params_of(settings: dict[str, Any] | None = None, **profile) -> Params:
    settings = copy.deepcopy(settings or toy_settings())
    settings["profiles"]["scribes"] |= profile
    Path("params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return load_params()


def runs(params: Params, seeds=(0, 1), name: str = CELL) -> list[Run]:
    cell = params.cells[name]
    return [Run(name, cell, params.poolings[cell.pooling], seed) for seed in seeds]


def fingerprint(params: Params, run: Run, **digests: str) -> str:
    return identify(params, run, {"data": "data", "code": "code"} | digests).fingerprint


def digests(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def trained(monkeypatch) -> list[int]:
    """The seeds trained so far, by a stand-in for training that takes no time."""
    seeds: list[int] = []

    def train_run(params, run, data, folder, **others):
        seeds.append(run.seed)
        folder.mkdir(parents=True)
        (folder / "weights.safetensors").write_bytes(b"weights %d" % run.seed)
        np.savez(folder / "predictions.npz", seed=run.seed)
        pd.DataFrame([[run.seed] * len(LOG_COLUMNS)], columns=LOG_COLUMNS).to_csv(
            folder / "epochs.csv", index=False
        )
        (folder / "run.json").write_text(json.dumps({"seed": run.seed}), encoding="utf-8")
        return Fit()

    monkeypatch.setattr(finished, "train_run", train_run)
    return seeds


def test_smoke_outputs_of_a_cell(trained):
    params = params_of()
    train_cell(params, runs(params, (0, 3)), Path("out"))
    names = ["curves.csv", "runs.json", "seed0.npz", "seed0.safetensors", "seed3.npz"]
    assert list(digests(Path("out"))) == [*names, "seed3.safetensors"]
    assert [run["seed"] for run in json.loads(Path("out/runs.json").read_text())] == [0, 3]
    assert pd.read_csv("out/curves.csv").seed.tolist() == [0, 3]
    assert list(pd.read_csv("out/curves.csv").columns) == LOG_COLUMNS


def test_a_new_seed_leaves_the_others_alone(trained, caplog):
    caplog.set_level(logging.INFO)
    params = params_of()
    train_cell(params, runs(params, (0, 1)), Path("out"))
    kept = {name: (Path("out") / name).read_bytes() for name in ("seed0.npz", "seed1.npz")}
    train_cell(params, runs(params, (0, 1, 2)), Path("out"))
    assert trained == [0, 1, 2]
    assert {name: (Path("out") / name).read_bytes() for name in kept} == kept
    assert f"{CELL} seed 1: finished before, taken from data/scribes/finished/" in caplog.text
    train_cell(params, runs(params, (2, 0)), Path("out"))
    assert trained == [0, 1, 2]
    assert [run["seed"] for run in json.loads(Path("out/runs.json").read_text())] == [2, 0]


def test_outputs_are_made_again_from_the_finished_runs(trained):
    params = params_of()
    train_cell(params, runs(params), Path("out"))
    before = digests(Path("out"))
    for file in Path("out").iterdir():
        file.unlink()
    train_cell(params, runs(params), Path("out"))
    assert digests(Path("out")) == before
    assert trained == [0, 1]


@pytest.mark.parametrize(
    "file",
    [
        "code.py",
        "data/scribes/pretrain/weights.safetensors",
        "data/scribes/patches/writers/train.npy",
        "data/scribes/patches/writers/test.csv",
        "data/scribes/patches/writers/summary.json",
    ],
)
def test_a_change_of_code_or_data_trains_again(trained, file):
    params = params_of()
    train_cell(params, runs(params), Path("out"))
    content = Path(file).read_bytes()
    # A change that the readers do not mind: another digit, a comment, the last byte of an array.
    changed = content.replace(b"0.8", b"0.7").replace(b"first", b"later").replace(b"w1", b"w9")
    if changed == content:
        changed = content[:-1] + bytes([content[-1] ^ 1])
    Path(file).write_bytes(changed)
    train_cell(params, runs(params), Path("out"))
    assert trained == [0, 1, 0, 1]
    Path(file).write_bytes(content)
    train_cell(params, runs(params), Path("out"))
    assert trained == [0, 1, 0, 1]


def test_property_fingerprints_differ_by_every_setting_of_the_run():
    settings = toy_settings()
    seen = {fingerprint(params_of(settings), runs(params_of(settings))[0])}
    changes = [("cells", CELL, "margin", 0.3), ("cells", CELL, "pooling_multiplier", 7)]
    changes += [("poolings", "dgmp-1k", "lambda", 7), ("poolings", "dgmp-1k", "name", "gem")]
    changes += [("profiles", "scribes", "backbone", {"name": "narrow", "width": 3})]
    changes += [("profiles", "scribes", "compute", "precision", "bf16")]
    changes += [("profiles", "scribes", "compute", key, key == "compile") for key in FLAGS]
    schedule = settings["profiles"]["scribes"]["writers"]
    other = {"distance": "cosine", "mining": "all-positives", "reduction": "sum"}
    other |= {"tested_model": "final", "keep_pooling_multiplier": False}
    other |= {"standardize": False, "normalize": False}
    for key in Writers.model_fields:
        if key != "seeds":
            value = other.get(key, 1 if schedule.get(key) == 2 else 2)
            changes.append(("profiles", "scribes", "writers", key, value))
    for *path, last, value in changes:
        changed = copy.deepcopy(settings)
        section = changed
        for part in path:
            section = section[part]
        section[last] = value
        if last in ("writers_per_batch", "patches_per_writer"):
            section[last] = 5
        params = params_of(changed)
        seen.add(fingerprint(params, runs(params)[0]))
    params = params_of(settings)
    seen.add(fingerprint(params, runs(params)[1]))
    seen.add(fingerprint(params, runs(params)[0], data="other data"))
    seen.add(fingerprint(params, runs(params)[0], code="other code"))
    cell = params.cells[CELL]
    untrained = Run(CELL, cell, params.poolings[cell.pooling], 0, trained=False)
    seen.add(fingerprint(params, untrained))
    assert len(seen) == len(changes) + 5


def test_property_what_does_not_change_a_run_does_not_change_its_fingerprint():
    params = params_of()
    expected = fingerprint(params, runs(params)[0])
    settings = toy_settings()
    settings["profiles"]["scribes"]["workers"] = 9
    settings["profiles"]["scribes"]["loading_threads"] = 3
    settings["profiles"]["scribes"]["writers"]["seeds"] = [0, 7]
    settings["profiles"]["scribes"]["scripts_a"]["epochs"] = 99
    settings["pooling"]["lambda"] = 3
    settings["cells"]["renamed"] = settings["cells"][CELL]
    changed = params_of(settings)
    assert fingerprint(changed, runs(changed, name="renamed")[0]) == expected


@pytest.mark.parametrize("name", [CELL, "scripts-a-avg"])
def test_property_workers_do_not_change_a_bit(name):
    # More threads than one would change the order of sums: what train_cell must prevent.
    torch.set_num_threads(2)
    params = params_of(workers=1)
    train_cell(params, runs(params, name=name), Path("one"))
    (params.data / "finished").rename("kept")
    params = params_of(workers=2)
    train_cell(params, runs(params, name=name), Path("two"))
    assert digests(Path("one")) == digests(Path("two"))
    assert digests(Path("one"))["seed0.safetensors"] != digests(Path("one"))["seed1.safetensors"]
    # The same again, one seed alone.
    (params.data / "finished").rename("kept too")
    train_cell(params, runs(params, (1,), name), Path("alone"))
    assert (Path("alone/seed1.npz")).read_bytes() == (Path("one/seed1.npz")).read_bytes()


def test_real_runs_hold_what_the_later_stages_read():
    params = params_of()
    train_cell(params, runs(params, (4,)), Path("out"))
    with np.load("out/seed4.npz") as predictions:
        assert set(predictions) == {"descriptors", "labels", "files"}
        assert predictions["descriptors"].shape == (6, 32 * WIDTH)
    (run,) = json.loads(Path("out/runs.json").read_text())
    facts = {"seed", "best_epoch", "validation_score", "collapsed", "short_writers"}
    assert set(run) == facts | {"fingerprint", "weights", "identity"}
    (record,) = (params.data / "finished").glob("*/provenance.json")
    assert run["fingerprint"] == record.parent.name
    assert run["weights"] == json.loads(record.read_text())["weights"]
    assert run["identity"] == json.loads(record.read_text())["identity"]
    curves = pd.read_csv("out/curves.csv")
    assert curves.epoch.tolist() == [1, 2]
    assert not curves.isna().any().any()
    state = load_file("out/seed4.safetensors")
    # lambda has moved by its own learning rate, a thousand times that of the backbone.
    assert 0.1 < abs(state["pooling.lambda_"].item() - 1000) < 10
    score = 100 - curves.validation_error.min()
    assert run["validation_score"] == pytest.approx(score, abs=1e-3)


def test_property_nothing_is_forked_where_there_is_a_gpu(trained, monkeypatch):
    # Asking for GPUs, as the fingerprint does, already makes CUDA unusable in forked processes.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(finished, "device", dict)
    forks = []
    os.register_at_fork(after_in_parent=lambda: forks.append("forked"))
    params = params_of(workers=2)
    train_cell(params, runs(params), Path("out"))
    assert trained == [0, 1]  # seen here, so trained in this process
    assert not forks


def test_an_untrained_run_is_the_starting_network():
    params = params_of()
    cell = params.untrained["writers-avg-untrained"]
    start = Run("start", cell, params.poolings[cell.pooling], 0, trained=False)
    train_cell(params, [start], Path("out"))
    weights = load_file("data/scribes/pretrain/weights.safetensors")
    state = load_file("out/seed0.safetensors")
    assert all(torch.equal(state[f"backbone.{key}"], value) for key, value in weights.items())
    assert len(pd.read_csv("out/curves.csv")) == 0
    assert json.loads(Path("out/runs.json").read_text())[0]["best_epoch"] == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_keep_their_message_and_leave_no_half_written_run(monkeypatch, workers):
    def failing(params, run, data, folder, **others):
        folder.mkdir(parents=True)
        (folder / "weights.safetensors").write_bytes(b"half")
        raise DivergedError(f"the loss is nan in epoch 1, step {run.seed}")

    monkeypatch.setattr(finished, "train_run", failing)
    params = params_of(workers=workers)
    with pytest.raises(DivergedError, match="the loss is nan in epoch 1, step 3"):
        train_cell(params, runs(params, (3, 4)), Path("out"))
    assert not Path("out").exists()
    assert list((params.data / "finished").iterdir()) == []


def test_errors_a_killed_process_is_told_and_its_run_is_trained_next_time(monkeypatch, trained):
    quick = finished.train_run

    def killed(params, run, data, folder, **others):
        folder.mkdir(parents=True)
        (folder / "weights.safetensors").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(finished, "train_run", killed)
    params = params_of(workers=2)
    wanted = "was killed, most often for want of memory: lower profiles.scribes.workers"
    with pytest.raises(OSError, match=f"{CELL}: a training process {wanted}"):
        train_cell(params, runs(params), Path("out"))
    assert not Path("out").exists()
    monkeypatch.setattr(finished, "train_run", quick)
    params = params_of(workers=1)
    train_cell(params, runs(params), Path("out"))
    assert trained == [0, 1]


def test_a_failing_seed_does_not_cost_the_finished_ones(monkeypatch, trained):
    quick = finished.train_run

    def failing_later(params, run, data, folder, **others):
        if run.seed == 1:
            raise DivergedError("the loss is nan")
        return quick(params, run, data, folder)

    monkeypatch.setattr(finished, "train_run", failing_later)
    params = params_of()
    with pytest.raises(DivergedError):
        train_cell(params, runs(params), Path("out"))
    monkeypatch.setattr(finished, "train_run", quick)
    train_cell(params, runs(params), Path("out"))
    assert trained == [0, 1]


def test_errors_a_task_without_pages():
    params = params_of()
    file = Path("data/scribes/patches/writers/train")
    with PatchWriter(file.with_suffix(".npy"), file.with_suffix(".csv"), 32):
        pass
    with pytest.raises(ValueError, match=r"writers/train.csv lists nothing: set profiles.scribes"):
        train_cell(params, runs(params), Path("out"))


def test_errors_missing_patches():
    params = params_of()
    Path("data/scribes/patches/writers/val.npy").unlink()
    with pytest.raises(ValueError, match=r"writers/val.npy is missing: run the stage patches"):
        train_cell(params, runs(params), Path("out"))

"""Fingerprints of runs, and runs that are killed and taken up again, in processes of their own."""

import functools
import json
import logging
import multiprocessing
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dgmp.learning import checkpoints
from dgmp.learning.checkpoints import Checkpoints
from pipeline.shared.provenance import read_records
from pipeline.shared.settings.params import Params, load_params
from pipeline.shared.settings.training import Writers
from pipeline.training import cell, script_classification, writer_retrieval
from pipeline.training.cell import train_cell
from pipeline.training.run import Outcome, Run
from pipeline.training.run_store import (
    CODE,
    PASSIVE,
    StoredRun,
    digests,
    stored_run,
)
from tests.pipeline.training.toy import (
    ROOT,
    SCRIPTS,
    WRITERS,
    a_run,
    files_of,
    params_of,
    start_stage,
    toy_settings,
)

STORE = Path("data/scribes/runs")
FORK = multiprocessing.get_context("fork")
pytestmark = pytest.mark.usefixtures("params")


# Fingerprints


def fingerprint(params: Params, run: Run, **changed: str) -> str:
    return stored_run(params, run, {"data": "data", "code": "code"} | changed).fingerprint


def changed(path: str, value: Any) -> Params:
    """The toy settings with another value of a dotted key."""
    settings = toy_settings()
    *sections, last = path.replace("profile", "profiles.scribes").split(".")
    section = settings
    for part in sections:
        section = section[part]
    section[last] = value
    return params_of(settings)


def test_property_fingerprints_differ_by_every_setting_of_the_run(params):
    changes: dict[str, Any] = {
        f"cells.{WRITERS}.margin": 0.3,
        "poolings.dgmp-1k.multiplier": 7,
        "poolings.dgmp-1k.lambda": 7,
        "poolings.dgmp-1k.relative": True,
        "poolings.dgmp-1k": {"name": "gem", "p": 1000, "multiplier": 1000},
        "profile.backbone": {"name": "narrow", "width": 3},
        "compute.precision": "bf16",
        "compute.channels_last": False,
        "compute.compile": True,
    }
    other: dict[str, Any] = {"distance": "cosine", "mining": "all-positives", "reduction": "sum"}
    other |= {"writers_per_batch": 5, "patches_per_writer": 5, "tested_model": "final"}
    other |= dict.fromkeys(("keep_pooling_multiplier", "standardize", "normalize"), False)
    other |= {"redraw_validation": True, "loss_distance": "sqeuclidean"}
    schedule = params.active.writers.model_dump()
    for key in Writers.model_fields.keys() - {"seeds"}:
        changes[f"profile.writers.{key}"] = other.get(key, 1 if schedule.get(key) == 2 else 2)
    run = a_run(params)
    untrained = Run(run.name, run.cell, run.pooling, run.seed, trained=False)
    seen = {fingerprint(params, one) for one in (run, a_run(params, 1), untrained)}
    seen |= {fingerprint(params, run, **{key: "other"}) for key in ("data", "code")}
    seen |= {fingerprint(one, a_run(one)) for one in map(changed, changes, changes.values())}
    assert len(seen) == len(changes) + 5


def test_property_what_does_not_change_a_run_does_not_change_its_fingerprint(params):
    passive = {"workers": 9, "loading_threads": 3, "writers.seeds": [0, 7], "scripts_a.epochs": 99}
    passive = {f"profile.{key}": value for key, value in passive.items()} | {"pooling.lambda": 3}
    for path, value in passive.items():
        renamed = a_run(changed(path, value), name="renamed")
        assert fingerprint(load_params(), renamed) == fingerprint(params, a_run(params)), path


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("data/scribes/weights/backbone.safetensors", "data"),
        ("data/scribes/patches/writers/train.npy", "data"),
        ("data/scribes/patches/writers/test.csv", "data"),
        ("data/scribes/patches/writers/summary.json", "data"),
        ("data/scribes/patches/scripts_a/summary.json", None),
        ("dgmp/learning/loop.py", "code"),
        ("dgmp/pooling/new/layer.py", "code"),
        ("pipeline/training/run.py", "code"),
        ("pipeline/inputs/network.py", "code"),
        ("pipeline/training/cell.py", None),
        ("dgmp/analysis/bootstrap.py", None),
        ("pipeline/shared/settings/training.py", None),
    ],
)
def test_digests_are_of_data_starting_weights_and_code(params, file, changes):
    path, patches = Path(file), Path("data/scribes/patches/writers")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    files = sorted(patches.iterdir())
    before = digests(params, files)
    path.write_bytes(path.read_bytes() + b"x")
    after = digests(params, files)
    assert {key for key in before if before[key] != after[key]} == ({changes} - {None})


def test_property_the_code_is_all_that_training_imports():
    assert all((ROOT / path).exists() for path in PASSIVE)
    files = [file for folder in CODE for file in (ROOT / folder).rglob("*.py")]
    imports = re.compile(r"^\s*(?:from|import) ((?:dgmp|pipeline)\.\S+)", re.MULTILINE)
    imported = {name for file in files for name in imports.findall(file.read_text())}
    known = ("dgmp.files", "pipeline.shared.settings", "pipeline.shared")
    known += tuple(folder.replace("/", ".") for folder in CODE)
    assert {name for name in imported if not name.startswith(known)} == set()


# Killed


def train(cell: str = WRITERS, output: str = "out", **run: Any) -> dict[str, bytes]:
    """The outputs of a cell with one seed."""
    params, folder = load_params(), Path(output)
    shutil.rmtree(folder, ignore_errors=True)
    train_cell(params, [a_run(params, cell=cell, **run)], folder)
    return files_of(folder)


@functools.cache
def expected(name: str = WRITERS) -> dict[str, bytes]:
    """The outputs of an uninterrupted run, which is then forgotten."""
    outputs = train(name)
    shutil.rmtree(STORE)
    shutil.rmtree("out")
    return outputs


def ended(action: Callable[[], Any]) -> int | None:
    """Exit code of a forked process that does something; minus the signal that killed it."""
    child = FORK.Process(target=action)
    child.start()
    child.join(60)
    return child.exitcode


def named(path: str | Path, name: str) -> bool:
    return Path(path).name == name and Path(path).exists()


BEFORE, AFTER = True, False
# A function before or after which the process is killed, and of which arguments.
BETWEEN_EPOCHS = (BEFORE, Checkpoints, "save", lambda _, net, optimizer, fit: len(fit.epochs) == 3)
OLD_ONE_NOT_REMOVED = (BEFORE, shutil, "rmtree", lambda path, *_: named(path, "epoch-1"))
# Validation comes by the same way as the prediction.
IN_PREDICTION = [
    (BEFORE, writer_retrieval, "describe_pages", lambda *_: True),
    (
        BEFORE,
        script_classification,
        "class_scores",
        lambda _, inputs, __: "test" in str(inputs.pages),
    ),
]
MOMENTS = {
    "between epochs": (2, BETWEEN_EPOCHS),
    "checkpoint half-written": (
        2,
        (AFTER, checkpoints, "save_file", lambda tensors, file: named(file.parent, "epoch-3")
         and not os.truncate(file, 999)),
    ),
    "old one not removed": (2, OLD_ONE_NOT_REMOVED),
    "in the prediction": (4, *IN_PREDICTION),
    "result half-written": (4, (AFTER, Outcome, "write", lambda *_: True)),
    "result there": (None, (AFTER, os, "replace", lambda _, path: named(path, "result"))),
    "checkpoint half-removed": (
        None,
        (BEFORE, shutil, "rmtree", lambda path, *_: named(path, "epoch-4")
         and not os.unlink(path / "values.json")),
    ),
    "half the outputs": (None, (AFTER, shutil, "copyfile", lambda _, path: ".npz" in str(path))),
}  # fmt: skip


def killed(*moments: tuple[bool, Any, str, Callable[..., bool]], name: str = WRITERS) -> Path:
    """The folder of a run that was killed at one of these moments."""

    def lay(before, place, function, dies) -> None:
        original = getattr(place, function)

        def killing(*arguments, **others):
            for now in (BEFORE, AFTER):
                if now == before and dies(*arguments):
                    os.kill(os.getpid(), signal.SIGKILL)
                if now == BEFORE:
                    result = original(*arguments, **others)
            return result

        setattr(place, function, killing)

    def act() -> None:
        for moment in moments:
            lay(*moment)
        train(name)

    assert ended(act) == -signal.SIGKILL
    assert not Path("out").exists()
    return max(STORE.iterdir(), key=os.path.getmtime)


@pytest.mark.parametrize("name", [WRITERS, SCRIPTS])
@pytest.mark.parametrize("moment", MOMENTS)
def test_oracle_a_killed_run_ends_as_an_uninterrupted_one(caplog, name, moment):
    caplog.set_level(logging.INFO)
    outputs = expected(name)
    reached, *moments = MOMENTS[moment]
    folder = killed(*moments, name=name)
    assert train(name) == outputs
    told = f"goes on from {folder}/epoch-{reached}" if reached else f"before, taken from {folder}"
    assert re.search(f"{name} seed 0: .*{told}", caplog.text)
    assert {path.name for path in folder.iterdir()} == {"fingerprint.json", "result"}
    record = json.loads((folder / "result/provenance.json").read_text(encoding="utf-8"))
    assert record["resumed_after"] == ([reached] if reached else [])


def test_oracle_a_run_may_be_killed_at_any_moment():
    params_of(toy_settings(8))
    begun, outputs = time.monotonic(), train()
    seconds, kills, rng = time.monotonic() - begun, 0, random.Random(1)
    shutil.rmtree(STORE)
    for _ in range(5):
        child = FORK.Process(target=train)
        child.start()
        child.join(rng.uniform(0.2, 0.8) * seconds)
        child.kill()
        child.join()
        kills += child.exitcode == -signal.SIGKILL
    assert kills
    assert train() == outputs


def test_damaged_files_are_passed_over(params, caplog):
    outputs = expected()
    folder = killed(OLD_ONE_NOT_REMOVED)
    (folder / "epoch-2/tensors.safetensors").write_bytes(b"damaged")
    for number, content in enumerate(["", "{", "{}", "[]"]):
        damaged = STORE / f"{number}/fingerprint.json"
        damaged.parent.mkdir()
        damaged.write_text(content, encoding="utf-8")
    assert train() == outputs
    assert f"{folder}/epoch-2 cannot be read" in caplog.text
    assert len(list(STORE.iterdir())) == 5


def change_setting() -> None:
    changed("poolings.dgmp-1k.lambda", 500)


def change_data() -> None:
    file = Path("data/scribes/patches/writers/summary.json")
    file.write_text(json.dumps({"mean": 0.7, "sd": 0.4, "size": 32}), encoding="utf-8")


def change_code() -> None:
    Path("dgmp/learning").mkdir(parents=True)
    Path("dgmp/learning/new.py").touch()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (change_setting, "settings.pooling.value (1000.0, now 500.0)"),
        (change_data, "data"),
        (change_code, "code"),
    ],
)
def test_a_changed_run_starts_afresh_and_says_why(caplog, change, what):
    folder = killed(BETWEEN_EPOCHS)
    change()
    outputs = train()
    message = f"starts afresh, because its checkpoint {folder}/epoch-2 was made with other {what}"
    assert message in caplog.text.replace("\n", " ")
    # The result is there, so that nothing needs the old checkpoint.
    assert not folder.exists()
    shutil.rmtree(STORE)
    assert train() == outputs


def test_undoing_a_change_goes_on_from_where_it_was(caplog):
    caplog.set_level(logging.INFO)
    outputs = expected()
    folder = killed(BETWEEN_EPOCHS)
    change_setting()
    other = killed(BETWEEN_EPOCHS)
    params_of(toy_settings())
    assert train() == outputs
    assert f"goes on from {folder}/epoch-2" in caplog.text
    assert not other.exists()


@pytest.mark.parametrize(("shared", "others"), [("", 4), ("/shared", 5)])
def test_property_a_run_that_ends_does_not_touch_others(params, monkeypatch, shared, others):
    monkeypatch.setenv("DGMP_RUNS", shared and f"{Path.cwd()}{shared}")

    def begin(run: Run, code: str = "c") -> StoredRun:
        stored = stored_run(params, run, {"data": "d", "code": code})
        stored.begin()
        (stored.folder / "epoch-1").mkdir()
        return stored

    begin(a_run(params, 1), "of before")
    names = [(WRITERS, 0), (WRITERS, 11), (f"{WRITERS}-seed1", 2), (f"{WRITERS}-seed1-x", 1)]
    for number, (name, seed) in enumerate(names):
        begin(a_run(params, seed, name=name), str(number))
    own = begin(a_run(params, 1))
    own.finish(lambda part: (part / "x").touch())
    assert own.finished
    assert not (own.folder / "epoch-1").exists()
    assert len(list(own.store.glob("*/epoch-1"))) == others


@pytest.mark.parametrize("other", [{"seed": 1}, {"name": "twin"}])
def test_property_runs_may_end_at_the_same_moment(other):
    barrier, write = FORK.Barrier(2), Outcome.write

    def together(*arguments) -> None:
        write(*arguments)
        barrier.wait(60)

    def train_together(output: str, run: dict[str, Any]) -> None:
        Outcome.write = together
        train(output=output, **run)

    pairs = {"one": {}, "other": other}.items()
    children = [FORK.Process(target=train_together, args=pair) for pair in pairs]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0]
    twins = files_of(Path("one")) == files_of(Path("other"))
    assert twins == ("name" in other)
    inside = ["fingerprint.json", "result"] * (1 if twins else 2)
    assert sorted(path.name for path in STORE.glob("*/*")) == sorted(inside)


def test_errors_a_full_disk():
    outputs = expected()
    trained = cell.train_run

    def fill_disk(*arguments) -> Outcome:
        outcome = trained(*arguments)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
        return outcome

    def check() -> None:
        cell.train_run = fill_disk
        message = f"{WRITERS} seed 0: the result cannot be written .*: make room on the disk"
        with pytest.raises(OSError, match=message):
            train()

    assert ended(check) == 0
    assert [path.name for path in STORE.glob("*/*") if path.is_dir()] == ["epoch-4"]
    assert train() == outputs


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("shared", "DGMP_RUNS must be an absolute path, got 'shared'"),
        (str(ROOT / "LICENSE"), "LICENSE/scribes"),
    ],
)
def test_errors_of_the_shared_folder(monkeypatch, folder, message):
    monkeypatch.setenv("DGMP_RUNS", folder)
    with pytest.raises((ValueError, OSError), match=message):
        train()


def test_the_newest_record_of_the_same_weights_is_found(params):
    assert read_records(params) == {}
    for number, weights in enumerate("aab"):
        record = {"weights": weights, "started": f"2026-01-0{9 - number}", "number": number}
        result = STORE / str(number) / "result"
        result.mkdir(parents=True)
        (result / "provenance.json").write_text(json.dumps(record), encoding="utf-8")
    (STORE / "unfinished").mkdir()
    assert {key: one["number"] for key, one in read_records(params).items()} == {"a": 0, "b": 2}


# The stage


def stage(folder: Path, seeds: list[int], **environment: str) -> subprocess.Popen[str]:
    """The stage train in a project folder of its own."""
    if not folder.exists():
        folder.mkdir()
        shutil.copytree("data", folder / "data")
    settings = toy_settings(40, workers=len(seeds))
    settings["profiles"]["scribes"]["writers"]["seeds"] = seeds
    return start_stage(folder, settings, **environment)


def end(stage: subprocess.Popen[str]) -> str:
    """What a stage says that ends well."""
    said = stage.communicate(timeout=120)[1]
    assert stage.returncode == 0, said
    return said


def kill_with_checkpoints(stage: subprocess.Popen[str], store: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while len({file.parent for file in store.glob("*/epoch-*")}) < count:
        assert stage.poll() is None, stage.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(stage.pid, signal.SIGKILL)
    stage.communicate()


def outputs_of(folder: Path) -> dict[str, bytes]:
    return files_of(folder / "data/scribes/train")


@pytest.mark.slow
def test_rehearsal_a_stage_is_killed_with_all_its_processes(tmp_path):
    whole, broken_off = tmp_path / "whole", tmp_path / "broken off"
    kill_with_checkpoints(stage(broken_off, [0, 1]), broken_off / STORE, 2)
    assert not outputs_of(broken_off)
    assert end(stage(broken_off, [0, 1])).count("goes on from") == 2
    end(stage(whole, [0, 1]))
    assert len(outputs_of(whole)) == 6
    # Also what a second run in other processes gives: the same, to the last byte.
    assert outputs_of(broken_off) == outputs_of(whole)


@pytest.mark.slow
def test_rehearsal_a_copy_of_the_repository_is_killed_and_removed(tmp_path):
    # As DVC's queue does with that of a variant; then two of them train the same.
    shared = {"DGMP_RUNS": str(tmp_path / "shared")}
    store = tmp_path / "shared/scribes/runs"
    kill_with_checkpoints(stage(tmp_path / "first", [0], **shared), store, 1)
    shutil.rmtree(tmp_path / "first")
    twins = [stage(tmp_path / name, [0], **shared) for name in ("second", "third")]
    for twin in twins:
        assert f"goes on from {store}/" in (said := end(twin)) or "taken from" in said
    assert f"taken from {store}/" in end(stage(tmp_path / "fourth", [0], **shared))
    end(stage(tmp_path / "whole", [0]))
    outputs = [outputs_of(tmp_path / name) for name in ("whole", "second", "third", "fourth")]
    assert outputs == outputs[:1] * 4
    assert not list(store.glob("*/epoch-*"))


@pytest.mark.slow
def test_rehearsal_a_launcher_starts_the_stage_in_two_processes(tmp_path):
    folder = tmp_path / "launched"
    torchrun = f"{sys.executable} -m torch.distributed.run --standalone --nproc-per-node 2"
    said = end(stage(folder, [0, 3], DGMP_LAUNCH=torchrun))
    names = ["curves.csv", "runs.json", "seed0.npz", "seed0.safetensors", "seed3.npz"]
    assert [Path(name).name for name in outputs_of(folder)] == [*names, "seed3.safetensors"]
    assert said.count("seed 0: validation") == 1
    assert "batch statistics are not synchronized" in said
    records = [json.loads(file.read_text()) for file in folder.glob(f"{STORE}/*/result/prov*")]
    assert [record["processes"] for record in records] == [2, 2]
    inside = {path.name for path in folder.glob(f"{STORE}/*/*")}
    assert inside == {"fingerprint.json", "result"}

"""Training that is killed and taken up again, in processes of their own."""

import json
import logging
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import dgmp.learning.checkpoints
from dgmp.learning.checkpoints import Checkpoints
from pipeline.settings.params import Params, load_params
from pipeline.training import cell as finished
from pipeline.training import script_classification as script_run
from pipeline.training import writer_retrieval as writer_run
from pipeline.training.cell import train_cell
from pipeline.training.fingerprint import Identity, identify
from pipeline.training.run import Run
from pipeline.training.run_store import checkpoint_folder, remove_checkpoints
from tests.pipeline.training.test_cell import toy_settings, write_data

ROOT = Path(__file__).parents[3]
WRITERS, SCRIPTS = "writers-dgmp-1k-m01", "scripts-a-avg"
EPOCHS = 4


def settings() -> dict[str, Any]:
    settings = toy_settings()
    profile = settings["profiles"]["scribes"]
    for task in ("writers", "scripts_a"):
        profile[task] |= {"epochs": EPOCHS, "decay_start": 2, "seeds": [0]}
    return settings


def save(settings: dict[str, Any]) -> Params:
    Path("params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return load_params()


@pytest.fixture(autouse=True)
def params(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(finished, "CODE", (Path("code.py"),))
    threads = torch.get_num_threads()
    write_data()
    yield save(settings())
    torch.set_num_threads(threads)


def train(params: Params, name: str = WRITERS) -> dict[str, bytes]:
    """The outputs of a cell."""
    cell = params.cells[name]
    output = Path("out")
    shutil.rmtree(output, ignore_errors=True)
    train_cell(params, [Run(name, cell, params.poolings[cell.pooling], 0)], output)
    return {path.name: path.read_bytes() for path in output.iterdir()}


def forget(params: Params) -> None:
    shutil.rmtree(params.data / "finished")


def ended(action: Callable[[], Any]) -> int | None:
    """Exit code of a forked process that does something; minus the signal that killed it."""
    child = multiprocessing.get_context("fork").Process(target=action)
    child.start()
    child.join(60)
    return child.exitcode


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def between_epochs() -> None:
    keep = Checkpoints.save

    def killing(self, model, optimizer, fit):
        if len(fit.epochs) == 3:
            die()
        keep(self, model, optimizer, fit)

    Checkpoints.save = killing


def half_written() -> None:
    save_file = dgmp.learning.checkpoints.save_file

    def killing(tensors, file):
        save_file(tensors, file)
        if list(file.parents[2].glob("epoch-2")):
            os.truncate(file, file.stat().st_size // 2)
            die()

    dgmp.learning.checkpoints.save_file = killing


def old_one_not_removed() -> None:
    class Killing:
        def __getattr__(self, name):
            return getattr(shutil, name)

        def rmtree(self, path):
            if path.name == "epoch-1":
                die()
            shutil.rmtree(path)

    dgmp.learning.checkpoints.shutil = Killing()


def in_the_prediction() -> None:
    writer_run.describe_pages = lambda *_, **__: die()
    scores = script_run.class_scores

    def killing(model, pages, **others):
        # Validation comes by the same way.
        return die() if "test" in str(pages.pages) else scores(model, pages, **others)

    script_run.class_scores = killing


@pytest.mark.parametrize("name", [WRITERS, SCRIPTS])
@pytest.mark.parametrize(
    ("moment", "reached"),
    [(between_epochs, 2), (half_written, 2), (old_one_not_removed, 2)],
)
def test_oracle_a_killed_run_ends_as_an_uninterrupted_one(params, caplog, name, moment, reached):
    caplog.set_level(logging.INFO)
    expected = train(params, name)
    assert not list((params.data / "checkpoints").iterdir())
    forget(params)

    def killed() -> None:
        moment()
        train(params, name)

    assert ended(killed) == -signal.SIGKILL
    assert not Path("out").exists()
    (folder,) = (params.data / "checkpoints").iterdir()
    assert train(params, name) == expected
    assert f"{name} seed 0: goes on from {folder}/epoch-{reached}" in caplog.text
    assert not list((params.data / "checkpoints").iterdir())
    (record,) = (params.data / "finished").glob("*/provenance.json")
    assert json.loads(record.read_text(encoding="utf-8"))["resumed_after"] == [reached]


def test_a_run_killed_in_its_prediction_is_not_trained_again(params):
    expected = train(params)
    forget(params)

    def killed() -> None:
        in_the_prediction()
        train(params)

    def untrainable() -> None:
        writer_run.WriterBatches.__call__ = lambda self: 1 / 0
        assert train(params) == expected

    assert ended(killed) == -signal.SIGKILL
    assert ended(untrainable) == 0


def test_a_damaged_checkpoint_is_passed_over(params, caplog):
    expected = train(params)
    forget(params)

    def killed() -> None:
        old_one_not_removed()
        train(params)

    assert ended(killed) == -signal.SIGKILL
    (newest,) = (params.data / "checkpoints").glob("*/epoch-2")
    (newest / "tensors.safetensors").write_bytes(b"damaged")
    assert train(params) == expected
    assert f"{newest} cannot be read" in caplog.text


def change_setting() -> None:
    changed = settings()
    changed["poolings"]["dgmp-1k"]["lambda"] = 500
    save(changed)


def change_data() -> None:
    Path("data/scribes/patches/writers/summary.json").write_text(
        json.dumps({"mean": 0.7, "sd": 0.4}), encoding="utf-8"
    )


def change_code() -> None:
    Path("code.py").write_text("# second version\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (change_setting, "settings.pooling.lambda_ (1000.0, now 500.0)"),
        (change_data, "data"),
        (change_code, "code"),
    ],
)
def test_a_changed_run_starts_afresh_and_says_why(params, caplog, change, what):
    change()
    expected = train(load_params())
    forget(params)
    shutil.rmtree("data")
    save(settings())
    write_data()

    def killed() -> None:
        between_epochs()
        train(params)

    assert ended(killed) == -signal.SIGKILL
    (folder,) = (params.data / "checkpoints").iterdir()
    change()
    assert train(load_params()) == expected
    message = f"starts afresh, because its checkpoint {folder}/epoch-2 was made with other {what}"
    assert message in caplog.text.replace("\n", " ")
    # The result is there, so that nothing needs the old checkpoint.
    assert not list((params.data / "checkpoints").iterdir())


def test_undoing_a_change_goes_on_from_where_it_was(params, caplog):
    caplog.set_level(logging.INFO)
    expected = train(params)
    forget(params)

    def killed() -> None:
        between_epochs()
        train(load_params())

    assert ended(killed) == -signal.SIGKILL
    change_setting()
    assert ended(killed) == -signal.SIGKILL
    assert train(save(settings())) == expected
    assert "goes on from" in caplog.text
    assert not list((params.data / "checkpoints").iterdir())


def stage(folder: Path, seeds: list[int], epochs: int, **environment: str) -> subprocess.Popen[str]:
    """`python -m pipeline.train` in a project folder of its own, as DVC starts it."""
    folder.mkdir(exist_ok=True)
    for package in ("dgmp", "pipeline"):
        if not (folder / package).exists():
            (folder / package).symlink_to(ROOT / package)
    if not (folder / "data").exists():
        shutil.copytree("data", folder / "data")
    changed = settings()
    changed["profiles"]["scribes"]["workers"] = len(seeds)
    changed["profiles"]["scribes"]["writers"] |= {"epochs": epochs, "seeds": seeds}
    (folder / "params.yaml").write_text(yaml.safe_dump(changed), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.train", WRITERS],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"} | environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def outputs(folder: Path) -> dict[str, bytes]:
    found = (folder / "data/scribes/train").rglob("*")
    return {str(p.relative_to(folder)): p.read_bytes() for p in found if p.is_file()}


def test_rehearsal_a_stage_is_killed_with_all_its_processes(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    first = stage(killed, [0, 1], 40)
    folder = killed / "data/scribes/checkpoints"
    deadline = time.monotonic() + 60
    while len({file.parent for file in folder.glob("*/epoch-*")}) < 2:
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert not outputs(killed)
    again = stage(killed, [0, 1], 40)
    said = again.communicate(timeout=120)[1]
    assert again.returncode == 0, said
    assert said.count("goes on from") == 2
    uninterrupted = stage(whole, [0, 1], 40)
    assert uninterrupted.wait(timeout=120) == 0
    assert len(outputs(whole)) == 6
    # Also what a second run in other processes gives: the same, to the last byte.
    assert outputs(killed) == outputs(whole)


def test_rehearsal_a_launcher_starts_the_stage_in_two_processes(tmp_path):
    folder = tmp_path / "launched"
    torchrun = f"{sys.executable} -m torch.distributed.run --standalone --nproc-per-node 2"
    launched = stage(folder, [0, 3], 3, DGMP_LAUNCH=torchrun)
    said = launched.communicate(timeout=120)[1]
    assert launched.returncode == 0, said
    names = ["curves.csv", "runs.json", "seed0.npz", "seed0.safetensors", "seed3.npz"]
    assert [Path(name).name for name in sorted(outputs(folder))] == [*names, "seed3.safetensors"]
    assert said.count("seed 0: validation") == 1
    records = list((folder / "data/scribes/finished").glob("*/provenance.json"))
    assert [json.loads(file.read_text())["processes"] for file in records] == [2, 2]
    assert "batch statistics are not synchronized" in said
    assert not list((folder / "data/scribes/checkpoints").iterdir())
    assert not list((folder / "data/scribes/finished").glob(".training-*"))


def test_rehearsal_a_copy_of_the_repository_is_killed_and_removed(tmp_path):
    # As DVC's queue does with that of a variant.
    shared = tmp_path / "shared"
    first, whole = tmp_path / "first", tmp_path / "whole"
    killed = stage(first, [0], 40, DGMP_RUNS=str(shared))
    deadline = time.monotonic() + 60
    while not list(shared.glob("scribes/checkpoints/*/epoch-*")):
        assert killed.poll() is None, killed.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    shutil.rmtree(first)
    for name, what in (("second", "goes on from"), ("third", "finished before, taken from")):
        again = stage(tmp_path / name, [0], 40, DGMP_RUNS=str(shared))
        said = again.communicate(timeout=120)[1]
        assert again.returncode == 0, said
        assert f"{what} {shared}/scribes/" in said
    uninterrupted = stage(whole, [0], 40)
    assert uninterrupted.wait(timeout=120) == 0
    assert outputs(tmp_path / "second") == outputs(tmp_path / "third") == outputs(whole)
    assert not list((shared / "scribes/checkpoints").iterdir())


def test_errors_a_shared_folder_that_each_copy_would_have_for_itself(params, monkeypatch):
    monkeypatch.setenv("DGMP_RUNS", "shared")
    with pytest.raises(ValueError, match="DGMP_RUNS must be an absolute path, got 'shared'"):
        train(params)


def interrupted(params: Params, *runs: Run, code: str = "c") -> list[tuple[Identity, Path]]:
    """Folders with a checkpoint of each run."""
    found = []
    for run in runs:
        identity = identify(params, run, {"data": "d", "code": code})
        folder = checkpoint_folder(params, run, identity)
        (folder / "epoch-1").mkdir()
        found.append((identity, folder))
    return found


def test_property_a_run_that_ends_does_not_touch_others(params):
    cell = params.cells[WRITERS]
    pooling = params.poolings[cell.pooling]
    run = Run(WRITERS, cell, pooling, 1)
    names = [(WRITERS, 0), (WRITERS, 11), (f"{WRITERS}-seed1", 2), (f"{WRITERS}-seed1-x", 1)]
    others = interrupted(params, *(Run(name, cell, pooling, seed) for name, seed in names))
    ((_, earlier),) = interrupted(params, run, code="of before")
    ((identity, own),) = interrupted(params, run)
    for _, folder in others:  # a file that was removed on another node is one that cannot be read
        (folder / "identity.json").unlink()
        (folder / "identity.json").mkdir()
    checkpoint_folder(params, run, identify(params, run, {"data": "d", "code": "of later"}))
    remove_checkpoints(params, run, identity)
    assert not earlier.exists()
    assert not own.exists()
    assert all(folder.is_dir() for _, folder in others)


def test_property_a_variant_that_ends_leaves_those_beside_it(params, monkeypatch, tmp_path):
    monkeypatch.setenv("DGMP_RUNS", str(tmp_path / "shared"))
    cell = params.cells[WRITERS]
    run = Run("variant", cell, params.poolings[cell.pooling], 0)
    ((_, beside),) = interrupted(params, run, code="other settings")
    ((identity, own),) = interrupted(params, run)
    remove_checkpoints(params, run, identity)
    assert not own.exists()
    assert (beside / "epoch-1").is_dir()


def test_property_equal_runs_of_two_names_may_end_in_any_order(params):
    cell = params.cells[WRITERS]
    pooling = params.poolings[cell.pooling]

    def other() -> None:
        twin = Run("twin", cell, pooling, 0)
        train_cell(params, [twin], Path("twin"))

    describe = writer_run.describe_pages

    def late(*arguments, **others):
        writer_run.describe_pages = describe
        other()
        return describe(*arguments, **others)

    writer_run.describe_pages = late
    assert train(params).keys() == {path.name for path in Path("twin").iterdir()}

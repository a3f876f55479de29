import json
import logging
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from dgmp.images.patches import PatchWriter
from dgmp.learning.log import Fit
from dgmp.learning.loop import DivergedError
from dgmp.pooling import POOLINGS
from pipeline.shared.settings.cells import Pooling
from pipeline.shared.settings.params import Params
from pipeline.training import cell
from pipeline.training.cell import train_cell
from pipeline.training.run import LOG_COLUMNS, Outcome, Run, pooling_layer
from tests.pipeline.training.toy import (
    SCRIPTS,
    WIDTH,
    WRITERS,
    a_run,
    files_of,
    params_of,
    toy_settings,
)

SEED3_FAILS = "the loss is nan in epoch 1, step 3"


def train(params: Params, seeds=(0, 1), name: str = WRITERS) -> dict[str, bytes]:
    """The outputs of a cell."""
    train_cell(params, [a_run(params, seed, name) for seed in seeds], Path("out"))
    return files_of(Path("out"))


@pytest.fixture
def trained(monkeypatch) -> list[int]:
    """The seeds trained so far, by a stand-in for training that takes no time."""
    seeds: list[int] = []

    def train_run(params, run, *_):
        seeds.append(run.seed)
        model = torch.nn.Linear(1, 1)
        torch.nn.init.constant_(model.weight, run.seed)
        return Outcome(model, Fit(best_error=10), {"seed": np.array(run.seed)})

    monkeypatch.setattr(cell, "train_run", train_run)
    return seeds


def test_a_new_seed_leaves_the_others_alone(params, trained, caplog):
    caplog.set_level(logging.INFO)
    before = train(params, (0, 3))
    names = ["curves.csv", "runs.json", "seed0.npz", "seed0.safetensors", "seed3.npz"]
    assert list(before) == [*names, "seed3.safetensors"]
    after = train(params, (0, 3, 2))
    assert trained == [0, 3, 2]
    assert {name: after[name] for name in before if "seed" in name}.items() <= before.items()
    assert f"{WRITERS} seed 3: finished before, taken from data/scribes/runs/" in caplog.text
    # DVC empties the outputs; they are made again, with what is wanted and no more.
    shutil.rmtree("out")
    assert train(params, (0, 3)) == before
    assert "seed0.npz" not in train(params, (2, 3))
    assert [run["seed"] for run in json.loads(Path("out/runs.json").read_text())] == [2, 3]
    assert trained == [0, 3, 2]


@pytest.mark.parametrize("name", [WRITERS, SCRIPTS])
def test_property_workers_do_not_change_a_bit(params, name):
    # More threads than one would change the order of sums: what train_cell must prevent.
    torch.set_num_threads(2)
    one = train(params, name=name)
    Path("data/scribes/runs").rename("kept")
    assert train(params_of(toy_settings(workers=2)), name=name) == one
    assert one["seed0.safetensors"] != one["seed1.safetensors"]
    # The same again, one seed alone.
    Path("data/scribes/runs").rename("kept too")
    assert train(params, (1,), name)["seed1.npz"] == one["seed1.npz"]


def test_real_runs_hold_what_the_later_stages_read(params):
    train(params, (4,))
    with np.load("out/seed4.npz") as predictions:
        assert set(predictions) == {"descriptors", "labels", "files"}
        assert predictions["descriptors"].shape == (6, 32 * WIDTH)
    (run,) = json.loads(Path("out/runs.json").read_text())
    facts = {"seed", "best_epoch", "validation_score", "collapsed", "short_writers"}
    assert set(run) == facts | {"fingerprint", "weights", "parts"}
    (folder,) = Path("data/scribes/runs").iterdir()
    assert run["fingerprint"] == folder.name
    assert run["parts"] == json.loads((folder / "fingerprint.json").read_text())["parts"]
    record = json.loads((folder / "result/provenance.json").read_text())
    assert (record["run"], record["seed"], record["weights"]) == (WRITERS, 4, run["weights"])
    curves = pd.read_csv("out/curves.csv")
    assert list(curves.columns) == LOG_COLUMNS
    assert curves.epoch.tolist() == [1, 2, 3, 4]
    assert not curves.isna().any().any()
    state = load_file("out/seed4.safetensors")
    # lambda has moved by its own learning rate, a thousand times that of the backbone.
    assert 0.1 < abs(state["pooling.lambda_"].item() - 1000) < 10
    score = 100 - curves.validation_error.min()
    assert run["validation_score"] == pytest.approx(score, abs=1e-3)


def test_an_untrained_run_is_the_starting_network(params):
    chosen = params.untrained["writers-avg-untrained"]
    start = Run("start", chosen, params.poolings[chosen.pooling], 0, trained=False)
    train_cell(params, [start], Path("out"))
    weights = load_file("data/scribes/weights/backbone.safetensors")
    state = load_file("out/seed0.safetensors")
    assert all(torch.equal(state[f"backbone.{key}"], value) for key, value in weights.items())
    assert len(pd.read_csv("out/curves.csv")) == 0
    assert json.loads(Path("out/runs.json").read_text())[0]["best_epoch"] == 0


@pytest.mark.parametrize("name", POOLINGS)
def test_a_pooling_begins_with_the_value_of_the_settings(name):
    layer = pooling_layer(Pooling(name=name, lambda_=3, alpha=0.3, r=4, p=5))
    expected = {"dgmp": 3, "mixed": 0.3, "lse": 4, "gem": 5}.get(name)
    value = getattr(layer, "value", None)
    assert (value and value.item()) == (expected and pytest.approx(expected))


def test_property_nothing_is_forked_where_there_is_a_gpu(params, trained, monkeypatch):
    # Asking for GPUs, as the fingerprint does, already makes CUDA unusable in forked processes.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(cell, "describe_device", dict)
    forks = []
    os.register_at_fork(after_in_parent=lambda: forks.append("forked"))
    train(params_of(toy_settings(workers=2)))
    assert trained == [0, 1]  # seen here, so trained in this process
    assert not forks


def diverge(params, run, *_):
    if run.seed:
        raise DivergedError(SEED3_FAILS)
    return Outcome(torch.nn.Linear(1, 1), Fit(best_error=10), {})


def be_killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("fails", "workers", "error", "finished"),
    [
        (diverge, 1, (DivergedError, SEED3_FAILS), [0]),
        (diverge, 2, (DivergedError, SEED3_FAILS), [0]),
        (
            be_killed,
            2,
            (OSError, f"{WRITERS}: a training process was killed, most often for want of memory: "
             "lower profiles.scribes.workers"),
            [],
        ),
    ],
)  # fmt: skip
def test_errors_a_failing_seed_does_not_cost_the_finished_ones(
    params, monkeypatch, trained, fails, workers, error, finished
):
    quick = cell.train_run
    monkeypatch.setattr(cell, "train_run", fails)
    with pytest.raises(error[0], match=error[1]):
        train(params_of(toy_settings(workers=workers)), (0, 3))
    assert not Path("out").exists()
    assert len(list(Path("data/scribes/runs").glob("*/result"))) == len(finished)
    monkeypatch.setattr(cell, "train_run", quick)
    train(params, (0, 3))
    assert sorted(trained + finished) == [0, 3]


def test_errors_of_the_data(params):
    file = Path("data/scribes/patches/writers/train")
    with PatchWriter(file.with_suffix(".npy"), file.with_suffix(".csv"), 32):
        pass
    with pytest.raises(ValueError, match=r"writers/train.csv lists nothing: set profiles.scribes"):
        train(params)
    Path("data/scribes/patches/writers/val.npy").unlink()
    with pytest.raises(ValueError, match=r"writers/val.npy is missing: run the stage patches"):
        train(params)

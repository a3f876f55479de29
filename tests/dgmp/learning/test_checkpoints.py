"""Checkpoints alone; test_run_store.py has the training that goes on from them."""

import multiprocessing
import os
import resource
import signal
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import nn

from dgmp.learning.checkpoints import Checkpoints
from dgmp.learning.log import Epoch, Fit, StepResult
from dgmp.learning.loop import fit


class Toy(nn.Module):
    """A network with a pooling that has a parameter of its own, a single number."""

    def __init__(self, device: str = "cpu") -> None:
        super().__init__()
        self.linear = nn.Linear(200, 200, device=device)
        self.pooling = nn.Module()
        self.pooling.weight = nn.Parameter(torch.ones((), device=device))

    def forward(self, x):
        return self.linear(x) * self.pooling.weight


def adam(model: nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam(model.parameters(), amsgrad=True)


def epochs(count: int) -> Fit:
    return Fit([Epoch(n + 1, 0.5, None, None, None, 0.1) for n in range(count)])


def kept(folder: Path, **options: float) -> Checkpoints:
    return Checkpoints(folder, np.random.default_rng(0), **options)


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")
def test_the_count_of_steps_stays_on_the_cpu(tmp_path):
    model = Toy()
    optimizer = adam(model)
    model(torch.rand(2, 200)).sum().backward()
    optimizer.step()
    kept(tmp_path).save(model, optimizer, epochs(1))
    elsewhere = Toy("meta")  # stands for a GPU
    restored = adam(elsewhere)
    assert kept(tmp_path).restore(elsewhere, restored) is not None
    states = [restored.state[parameter] for parameter in elsewhere.parameters()]
    assert [state["step"].device.type for state in states] == ["cpu"] * 3
    assert [state["step"].item() for state in states] == [1] * 3
    assert {state["exp_avg"].device.type for state in states} == {"meta"}


def train(checkpoints: Checkpoints, count: int) -> None:
    model = Toy()
    fit(
        model,
        adam(model),
        epochs=count,
        decay_start=9,
        batches=lambda: [(torch.rand(2, 200), torch.zeros(2))],
        step=lambda net, images, labels: StepResult(net(images).sum()),
        validate=lambda net: 1.0,
        accelerator=Accelerator(cpu=True),
        checkpoints=checkpoints,
    )


@pytest.mark.parametrize(("every", "written"), [(0, [1, 2, 3, 4]), (3600, [4])])
def test_checkpoints_are_made_by_time_and_after_the_last_epoch(
    tmp_path, monkeypatch, every, written
):
    seen = []
    save = Checkpoints.save

    def noting(self, model, optimizer, fit):
        seen.append(len(fit.epochs))
        save(self, model, optimizer, fit)

    monkeypatch.setattr(Checkpoints, "save", noting)
    train(kept(tmp_path, every=every), 4)
    assert seen == written
    assert [folder.name for folder in tmp_path.iterdir()] == ["epoch-4"]


def test_property_time_runs_from_the_checkpoint_before(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("dgmp.learning.checkpoints.time.monotonic", lambda: clock[0])
    checkpoints = kept(tmp_path, every=60)
    model = Toy()
    due = []
    for now in (30, 61, 90, 122):
        clock[0] = now
        due.append(checkpoints.due())
        if due[-1]:
            checkpoints.save(model, adam(model), epochs(1))
    assert due == [False, True, False, True]


@pytest.mark.parametrize(("meanwhile", "left"), [("restore", "epoch-7"), ("save", "epoch-8")])
def test_property_an_equal_run_may_come_between(tmp_path, monkeypatch, meanwhile, left):
    model = Toy()
    kept(tmp_path).save(model, adam(model), epochs(7))
    replace = os.replace

    def late(part, target):
        monkeypatch.setattr(os, "replace", replace)
        other = kept(tmp_path)
        if meanwhile == "restore":  # removes what is half-written
            other.restore(model, adam(model))
        else:
            other.save(model, adam(model), epochs(8))
        replace(part, target)

    monkeypatch.setattr(os, "replace", late)
    kept(tmp_path).save(model, adam(model), epochs(8))
    assert [path.name for path in tmp_path.iterdir()] == [left]
    kept(tmp_path).save(model, adam(model), epochs(9))
    kept(tmp_path).save(model, adam(model), epochs(8))  # by one that is behind
    assert {path.name for path in tmp_path.iterdir()} == {"epoch-9", "epoch-8"}
    assert len(kept(tmp_path).restore(model, adam(model)).epochs) == 9


def on_a_full_disk(folder: Path, channel) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
    try:
        model = Toy()
        kept(folder).save(model, adam(model), epochs(8))
    except OSError as error:
        channel.send(str(error))


@pytest.mark.parametrize("before", [None, 7])
def test_errors_a_full_disk(tmp_path, before):
    model = Toy()
    if before:
        kept(tmp_path).save(model, adam(model), epochs(before))
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=partial(on_a_full_disk, tmp_path, sender))
    child.start()
    child.join(60)
    assert receiver.poll()
    message = receiver.recv()
    assert message.startswith("the checkpoint after epoch 8 cannot be written (")
    assert f"{tmp_path}/epoch-7 is kept: make room" in message or not before
    left = [path.name for path in tmp_path.iterdir()]
    assert left == (["epoch-7"] if before else [])
    assert before is None or kept(tmp_path).restore(model, adam(model)) is not None

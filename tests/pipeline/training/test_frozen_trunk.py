"""Training on a frozen trunk's activations, and validation writers drawn by each seed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.utils import Bunch

from dgmp.learning.inputs import Activations
from pipeline.inputs import trunk
from pipeline.inputs.network import network_parts
from pipeline.inputs.task_data import TaskInputs, image_inputs, load_inputs
from pipeline.shared.settings.params import Params
from pipeline.training import writer_retrieval
from pipeline.training.cell import train_run
from pipeline.training.run import Run, pooling_layer
from pipeline.training.writer_retrieval import redrawn
from tests.benchmarks import bench_networks
from tests.pipeline.training.toy import a_run, params_of, toy_settings


def frozen(**writers: object) -> Params:
    settings = toy_settings()
    settings["profiles"]["scribes"]["writers"] |= {"trainable": 2, "learning_rate": 0.003} | writers
    return params_of(settings)


def with_activations() -> Params:
    """The same after the stage trunk."""
    params = frozen()
    trunk._network.cache_clear()
    folder = params.data / "trunk/writers"
    folder.mkdir(parents=True)
    trunk.write_activations(params, "writers", folder)
    trunk._network.cache_clear()
    return params


@pytest.mark.parametrize("cell", ["writers-avg-m01", "writers-dgmp-1k-m01"])
def test_oracle_training_on_activations_is_training_on_images(params, monkeypatch, cell):
    params = with_activations()
    run = a_run(params, cell=cell)
    cached = train_run(params, run, load_inputs(params, "writers"), Path("cached"))

    def all_of_it(params: Params, run: Run):
        return *network_parts(params, "writers"), pooling_layer(run.pooling)

    monkeypatch.setattr(writer_retrieval, "starting_parts", all_of_it)
    plain = train_run(params, run, image_inputs(params, "writers"), Path("plain"))
    found, expected = (pd.DataFrame(one.fit.epochs) for one in (cached, plain))
    assert expected.loss.std() > 0.01
    # Half precision has 11 bits, 0.05 %.
    assert found.loss.to_numpy() == pytest.approx(expected.loss.to_numpy(), abs=2e-3)
    descriptors = [one.predictions["descriptors"] for one in (cached, plain)]
    np.testing.assert_allclose(*descriptors, atol=5e-3)
    start = network_parts(params, "writers").backbone.state_dict()
    for key, value in cached.model.backbone.state_dict().items():
        fixed = "running" in key or "num_batches" in key
        assert torch.equal(value, start[key]) == fixed, key


def writers_of(rng: np.random.Generator, first: int, count: int) -> Activations:
    """Two pages of two patches of each writer, with means that tell the writer."""
    numbers = np.repeat(np.arange(first, first + count), 4)
    array = rng.random((len(numbers), 16, 4, 4)) + numbers[:, None, None, None]
    pages = np.array([f"{w}-{i % 4 // 2}" for i, w in enumerate(numbers)])
    return Activations(array.astype(np.float16), pages, np.array([f"w{w}" for w in numbers]))


@pytest.fixture
def made() -> TaskInputs:
    rng = np.random.default_rng(0)
    return TaskInputs(writers_of(rng, 0, 7), writers_of(rng, 7, 3), writers_of(rng, 10, 2), ())


def test_property_validation_writers_are_drawn_apart_by_each_seed(made):
    def drawn(seed: int):
        return redrawn(made.train, made.val, np.random.default_rng(seed))

    everybody = {f"w{i}" for i in range(10)}
    held_out = set()
    for seed in range(20):
        train, val = drawn(seed)
        writers = set(train.labels), set(val.labels)
        assert len(writers[1]) == 3
        assert writers[0] | writers[1] == everybody
        assert not writers[0] & writers[1]
        assert len(train.labels) + len(val.labels) == 40
        for one in (train, val):
            array = one(slice(None)).float().numpy()
            assert [f"w{int(mean)}" for mean in array.mean((1, 2, 3))] == one.labels.tolist()
        again = drawn(seed)
        assert [one.pages.tolist() for one in again] == [train.pages.tolist(), val.pages.tolist()]
        held_out.add(frozenset(writers[1]))
    assert len(held_out) > 10
    assert frozenset().union(*held_out) == everybody


def test_a_run_validates_on_the_writers_of_its_seed(params, monkeypatch, made):
    seen: list[frozenset[str]] = []
    error = writer_retrieval.retrieval_error

    def noting(net, val, *arguments, **others):
        seen.append(frozenset(val.labels))
        return error(net, val, *arguments, **others)

    monkeypatch.setattr(writer_retrieval, "retrieval_error", noting)

    def validated(seed: int, *, redraw: bool) -> frozenset[str]:
        seen.clear()
        params = frozen(redraw_validation=redraw, epochs=2, decay_start=1)
        checkpoints = Path(f"run-{len(list(Path().glob('run-*')))}")
        train_run(params, a_run(params, seed), made, checkpoints)
        assert len(seen) == 2
        assert len(set(seen)) == 1
        return seen[0]

    assert validated(0, redraw=False) == validated(1, redraw=False) == {"w7", "w8", "w9"}
    zero, one = (validated(seed, redraw=True) for seed in (0, 1))
    assert zero != one
    assert validated(0, redraw=True) == zero


def test_smoke_the_benchmark_of_frozen_features(params, monkeypatch, capsys):
    with_activations()
    rng = np.random.default_rng(0)
    digits = Bunch(images=rng.integers(0, 17, (20, 8, 8)), target=np.arange(20) % 2)
    monkeypatch.setattr(bench_networks, "load_digits", lambda: digits)
    monkeypatch.setattr(bench_networks, "SIDE", 32)
    bench_networks.main()
    said = capsys.readouterr().out
    assert said.count("\n| DGMP, λ = 10 |") == said.count("\n| Avg |") == 2
    assert "## 6 test pages" in said
    assert "## 10 digits" in said

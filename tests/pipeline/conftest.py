"""A made-up project with finished runs of every cell, for the stages after training."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipeline import compare, evaluate
from pipeline.shared.page_lists import Page, write_pages
from pipeline.shared.settings.cells import Cell
from pipeline.shared.settings.params import Params, load_params
from pipeline.shared.settings.systems import STEPS, LocalSystem

ROOT = Path(__file__).parents[2]
WRITER_SEEDS = [0, 1]
SCRIPT_SEEDS = [0, 1, 2]
EPOCHS = 6
CLASSES = np.array(["caroline", "cursiva", "textualis"])


class Project:
    """The made-up project in the current directory; its settings can be changed by hand."""

    def __init__(self, params: Params) -> None:
        self.params = params

    @property
    def data(self) -> Path:
        return self.params.data

    @property
    def reports(self) -> Path:
        return self.params.reports

    def run(self, name: str, file: str) -> Path:
        """A file of a cell or an untrained row."""
        return self.data / ("train" if name in self.params.cells else "untrained") / name / file

    def edit_run(self, name: str, seed: int, **changes) -> None:
        """Change the entry of a seed in runs.json."""
        file = self.run(name, "runs.json")
        runs = json.loads(file.read_text(encoding="utf-8"))
        next(one for one in runs if one["seed"] == seed).update(changes)
        file.write_text(json.dumps(runs), encoding="utf-8")

    def edit_arrays(self, name: str, file: str, edit) -> None:
        """Change the arrays of a prediction file by a function of a dict of them."""
        with np.load(self.run(name, file)) as archive:
            arrays = dict(archive)
        edit(arrays)
        np.savez(self.run(name, file), **arrays)

    def set(self, key: str, value) -> Params:
        """Set a dotted key of params.yaml and load it again."""
        file = Path("params.yaml")
        settings = yaml.safe_load(file.read_text(encoding="utf-8"))
        *path, last = key.split(".")
        section = settings
        for part in path:
            section = section[part]
        section[last] = value
        file.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
        self.params = load_params()
        return self.params


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_project(folder)
    return folder


@pytest.fixture(scope="session")
def made_and_scored(made, tmp_path_factory) -> Path:
    folder = shutil.copytree(made, tmp_path_factory.mktemp("scored"), dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        evaluate.main()
        compare.main()
    return folder


@pytest.fixture
def project(made, tmp_path, monkeypatch) -> Project:
    """The made-up project in a folder of its own, which is the current one."""
    monkeypatch.chdir(shutil.copytree(made, tmp_path, dirs_exist_ok=True))
    return Project(load_params())


@pytest.fixture
def scored(made_and_scored, tmp_path, monkeypatch) -> Project:
    """The made-up project after the stages evaluate and compare."""
    monkeypatch.chdir(shutil.copytree(made_and_scored, tmp_path, dirs_exist_ok=True))
    return Project(load_params())


def make_project(folder: Path) -> Params:
    settings = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    settings["profile"] = "scribes"
    settings["compare"]["resamples"] = 499
    profile = settings["profiles"]["scribes"]
    profile["writers"]["seeds"] = WRITER_SEEDS
    profile["scripts_a"]["seeds"] = profile["scripts_b"]["seeds"] = SCRIPT_SEEDS
    profile["titles"] = {
        "writers": "made-up scribes",
        "scripts_a": "made-up scripts & 50% more",
        "scripts_b": "made-up scripts_b",
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    (folder / "data").mkdir()
    published = (ROOT / "data" / "published.yaml").read_text(encoding="utf-8")
    (folder / "data" / "published.yaml").write_text(published, encoding="utf-8")
    params = load_params()
    for position, (name, cell) in enumerate(params.cells.items()):
        write_cell(params, name, cell, params.active.schedule(cell.task).seeds, position)
    for position, (name, cell) in enumerate(params.untrained.items()):
        write_cell(params, name, cell, [0], 100 + position)
    for position, name in enumerate(params.systems):
        write_system(params, name, 200 + position)
    (params.data / "acquire").mkdir()
    for task in ("writers", "scripts_a", "scripts_b"):
        splits = ("train", "train", "val")
        pages = [Page(f"{i}.png", f"label {i % 4}", splits[i // 6]) for i in range(18)]
        test = predictions(task, np.random.default_rng(0), 1.0)
        own = zip(test["files"], test["labels"], strict=True)
        pages += [Page(str(file), str(label), "test") for file, label in own]
        write_pages(params.data / "acquire" / f"{task}.csv", pages)
    variant = params.data / "variant"
    variant.mkdir()
    np.savez(variant / "seed0.npz", **predictions("writers", np.random.default_rng(7), 1.0))
    facts = {"seed": 0, "best_epoch": 3, "validation_score": 51.23456, "collapsed": False}
    (variant / "runs.json").write_text(json.dumps([facts]), encoding="utf-8")
    return params


def write_cell(params: Params, name: str, cell: Cell, seeds, position: int) -> None:
    trained = name in params.cells
    folder = params.data / ("train" if trained else "untrained") / name
    folder.mkdir(parents=True)
    for seed in seeds:
        rng = np.random.default_rng([position, seed])
        np.savez(folder / f"seed{seed}.npz", **predictions(cell.task, rng, 2.0 if trained else 0.5))
    runs = [
        {
            "seed": s,
            "best_epoch": 4,
            "validation_score": 70.0 + s,
            "collapsed": False,
            "fingerprint": f"{position:08x}{s:08x}",
            "weights": f"{position:032x}{s:032x}",
            "parts": parts(params, cell, s),
        }
        for s in seeds
    ]
    (folder / "runs.json").write_text(json.dumps(runs), encoding="utf-8")
    if trained:
        pooling = params.poolings[cell.pooling]
        start = pooling.lambda_ if pooling.name == "dgmp" else None
        write_curves(folder / "curves.csv", start, seeds, position)


def write_system(params: Params, name: str, position: int) -> None:
    """Distances of the same test pages after each step, and script types if the system has them."""
    system = params.systems[name]
    folder = params.data / "encode" / name
    folder.mkdir(parents=True)
    seconds = []
    for seed in params.system_seeds(name):
        rng = np.random.default_rng([position, seed])
        distances = {}
        for level, step in enumerate(STEPS):
            test = predictions("writers", rng, 0.5 + level)
            points = test["descriptors"]
            distances[step] = np.linalg.norm(points[:, None] - points, axis=2)
        np.savez(
            folder / f"seed{seed}.npz",
            labels=test["labels"],
            files=test["files"],
            without_information=np.zeros(len(points), dtype=bool),
            **distances,
        )
        seconds.append({"seed": seed, "encode": 4.0, **dict.fromkeys(STEPS, 0.5)})
        if isinstance(system, LocalSystem) and system.script_c:
            for task in ("scripts_a", "scripts_b"):
                np.savez(folder / f"{task}-seed{seed}.npz", **predictions(task, rng, 2.0))
    (folder / "seconds.json").write_text(json.dumps(seconds), encoding="utf-8")


def parts(params: Params, cell: Cell, seed: int) -> dict[str, Any]:
    settings = {
        "cell": cell.model_dump(),
        "pooling": params.poolings[cell.pooling].model_dump(),
        "seed": seed,
    }
    return {
        "settings": settings,
        "data": f"{cell.task:f<64}",
        "code": "c" * 64,
        "libraries": {"torch": "2"},
        "device": "cpu",
    }


def predictions(task: str, rng: np.random.Generator, signal: float) -> dict[str, np.ndarray]:
    if task == "writers":
        writers = np.repeat(np.arange(8), 3)
        points = rng.normal(size=(24, 6)) + signal * np.eye(8, 6)[writers]
        return {
            "descriptors": points.astype(np.float32),
            "labels": np.array([f"writer {w}" for w in writers]),
            "files": np.array([f"pages/{i}.png" for i in range(24)]),
        }
    scripts = np.arange(30) % 3
    return {
        "logits": (rng.normal(size=(30, 3)) + signal * np.eye(3)[scripts]).astype(np.float32),
        "labels": CLASSES[scripts],
        "classes": CLASSES,
        "files": np.array([f"pages/{task}-{i}.png" for i in range(30)]),
    }


def write_curves(file: Path, lambda_: float | None, seeds, position: int) -> None:
    rng = np.random.default_rng(position)
    level = 20 + 10 * rng.random()
    with file.open("w", newline="", encoding="utf-8") as lines:
        rows = csv.writer(lines)
        columns = "seed epoch loss active_triplets validation_error pooling_parameter learning_rate"
        rows.writerow(columns.split())
        for seed in seeds:
            for epoch in range(1, EPOCHS + 1):
                error = level + 60 * np.exp(-epoch / 2) + rng.normal() * 1.5
                parameter = "" if lambda_ is None else lambda_ * (1 + 0.01 * epoch * (1 + seed))
                rows.writerow([seed, epoch, 0.1, "", f"{error:.4f}", parameter, 0.001])

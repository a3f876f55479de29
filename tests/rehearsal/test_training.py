"""Protocols and processes through DVC at toy size, in a clone; the tests build on each other."""

import json
from typing import Any

import pytest
import yaml

from tests.rehearsal.clone import CELLS, UNTRAINED, WRITERS, Clone, make_clone, ran, restored, toy

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]


STAGES = (
    "acquire",
    "binarize",
    "patches",
    "weights",
    "trunk-writers",
    "trunk-scripts",
    "train",
    "untrained",
    "variant",
)
"""All that training is about."""


def training_alone(pipeline: dict[str, Any]) -> dict[str, Any]:
    return {"stages": {name: pipeline["stages"][name] for name in STAGES}}


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    made = make_clone(tmp_path_factory.mktemp("rehearsal") / "clone", toy)
    made.adapt(training_alone, "dvc.yaml")
    made.run("git", "commit", "--quiet", "--all", "--message", "stages of training alone")
    return made


def paper_of_scribes(settings: dict[str, Any]) -> dict[str, Any]:
    """The profile paper on pages and at the size of the toy, under an overlay of that size."""
    profiles = settings["profiles"]
    for name, section in profiles["scribes"].items():
        taken = name in ("acquire", "binarize", "backbone") or section is None
        if taken or not isinstance(section, dict):
            profiles["paper"][name] = section
        elif name != "titles":
            profiles["paper"][name] |= section
    profiles["paper"]["workers"] = 1
    overlay = settings["protocols"]["authors-code"]
    overlay["patches"] |= {"test_stride": 40, "margin_right": 10}
    overlay["writers"] |= {"seeds": [0], "epochs": 3, "decay_start": 1, "resize": 24}
    overlay["cells"] = {}
    return settings


def test_protocols_of_the_profile_paper_take_each_others_place(clone):
    file = clone.folder / "params.yaml"
    settings = paper_of_scribes(yaml.safe_load(file.read_text(encoding="utf-8")))
    file.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    target = f"train@{WRITERS}"
    folder = clone.folder / "data/paper/train" / WRITERS

    def train(protocol: str) -> tuple[str, int]:
        chosen = ("profile=paper", f"protocol={protocol}")
        options = [part for one in chosen for part in ("-S", one)]
        said = clone.run("dvc", "exp", "run", *options, target)
        epochs = (folder / "curves.csv").read_text(encoding="utf-8").splitlines()[1:]
        return said, len(epochs)

    said, rows = train("paper")
    assert ran(said)[-1] == target
    assert rows == 2 * 2  # seeds and epochs of the toy
    code, said = clone.call("dvc", "repro", "--dry", target)
    assert code == 0
    assert not ran(said)
    said, rows = train("authors-code")
    assert ran(said) == ["patches", "trunk-writers", target]
    assert rows == 3
    summary = json.loads((folder / "runs.json").read_text(encoding="utf-8"))
    assert [one["seed"] for one in summary] == [0]
    said, rows = train("paper")
    assert restored(said) == ["patches", "trunk-writers", target]
    assert not ran(said)
    assert rows == 2 * 2
    code, said = clone.call("dvc", "exp", "run", "-S", "profile=scribes", "-S",
                            "protocol=authors-code", target)  # fmt: skip
    assert code != 0
    assert "goes with profile paper alone" in said


def test_cells_are_trained_side_by_side(clone):
    def in_half_precision(settings: dict[str, Any]) -> dict[str, Any]:
        settings["compute"]["precision"] = "bf16"
        return settings | {"profile": "scribes", "protocol": "paper"}

    clone.adapt(in_half_precision)
    clone.environment["CUDA_VISIBLE_DEVICES"] = "4,5"
    # The environment is the one that the tests run in.
    said = clone.run("make", "--old-file=.venv/ready", "train-cells", "GPUS=2")
    assert {f"train@{name}" for name in CELLS} <= set(ran(said))
    assert not ran(clone.repro())
    records = [
        json.loads(file.read_text(encoding="utf-8"))
        for file in clone.folder.glob("data/scribes/runs/*/result/provenance.json")
    ]
    now = [one for one in records if one["compute"]["precision"] == "bf16"]
    seen = {one["run"]: one["visible_devices"] for one in now}
    assert seen.keys() == {*CELLS, "variant", UNTRAINED}
    assert set(seen.values()) == {"4", "5"}  # one each: nothing waits for the last `dvc repro`
    commit = clone.run("git", "rev-parse", "HEAD").strip()
    assert {one["git"]["commit"] for one in now} == {commit}
    assert all("params.yaml" in one["git"]["changed"] for one in now)

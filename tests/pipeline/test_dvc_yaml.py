"""dvc.yaml names the settings and files that are there."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo
from dvc.stage import PipelineStage
from dvc.utils.serialize import modify_yaml

from pipeline.shared.settings.params import load_params

ROOT = Path(__file__).parents[2]


def stages_of(folder: Path, profile: str) -> dict[str, PipelineStage]:
    """The stages as DVC reads them with a profile, by name; name@key for table cells."""
    shutil.copyfile(ROOT / "dvc.yaml", folder / "dvc.yaml")
    settings = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    settings["profile"] = profile
    (folder / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    with Repo.init(str(folder), no_scm=True) as repo:
        return {stage.name: stage for stage in repo.index.stages}


@pytest.fixture(scope="module", params=["scribes", "manuscripts", "folder", "paper"])
def stages(request, tmp_path_factory) -> dict[str, PipelineStage]:
    return stages_of(tmp_path_factory.mktemp(request.param), request.param)


def test_one_training_stage_for_each_cell(stages):
    cells = load_params(ROOT / "params.yaml").cells
    trained = {name for name in stages if name.startswith("train@")}
    assert trained == {f"train@{name}" for name in cells}


def test_listed_settings_exist(stages):
    settings: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for name, stage in stages.items():
        for dep in stage.deps:
            for key in dep.params if isinstance(dep, ParamsDependency) else ():
                section = settings
                for part in key.split("."):
                    assert part in section, f"dvc.yaml: {name} lists {key}, not in params.yaml"
                    section = section[part]


def test_every_stage_writes_below_the_profile(stages):
    profile = stages["acquire"].outs[0].def_path.split("/")[1]
    for name, stage in stages.items():
        for out in stage.outs:
            assert out.def_path.split("/")[1] == profile, name
            # Persistent outputs would switch the run cache off.
            assert not out.persist, name


def test_a_section_with_defaults_is_listed_with_them(stages):
    settings = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    profile = stages["acquire"].outs[0].def_path.split("/")[1]
    for name, stage in stages.items():
        keys = {k for dep in stage.deps if isinstance(dep, ParamsDependency) for k in dep.params}
        for section in settings["defaults"]:
            assert (f"defaults.{section}" in keys) == (f"profiles.{profile}.{section}" in keys), (
                name
            )


def test_inputs_are_outputs_of_other_stages_or_tracked(stages):
    made = {out.def_path for stage in stages.values() for out in stage.outs}
    for name, stage in stages.items():
        for dep in stage.deps:
            path = dep.def_path
            if isinstance(dep, ParamsDependency) or not path.startswith(("data/", "reports/")):
                continue
            covers = [out for out in made if out == path or out.startswith(f"{path}/")]
            assert covers or is_tracked(path), f"dvc.yaml: {name} needs {path}, never made"


def is_tracked(path: str) -> bool:
    """Whether git has the file, or files in the folder."""
    listed = subprocess.run(
        ["git", "ls-files", path], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return bool(listed.stdout)


def test_a_cell_retrains_for_its_own_settings_only(stages):
    params = load_params(ROOT / "params.yaml")
    profile = stages["acquire"].outs[0].def_path.split("/")[1]
    for name, cell in params.cells.items():
        stage = stages[f"train@{name}"]
        keys = {k for dep in stage.deps if isinstance(dep, ParamsDependency) for k in dep.params}
        assert keys == {
            "protocols.paper",
            "compute",
            f"defaults.{cell.task}",
            f"cells.{name}",
            f"poolings.{cell.pooling}",
            f"profiles.{profile}.backbone",
            f"profiles.{profile}.{cell.task}",
        }


def test_an_experiment_changes_one_line_of_the_settings(tmp_path):
    # What `dvc exp run -S pooling.lambda=250` does to the file.
    before = (ROOT / "params.yaml").read_text(encoding="utf-8")
    file = tmp_path / "params.yaml"
    file.write_text(before, encoding="utf-8")
    with modify_yaml(str(file)) as settings:
        settings["pooling"]["lambda"] = 250
    after = file.read_text(encoding="utf-8")
    lines = zip(before.splitlines(), after.splitlines(), strict=True)
    changed = [old for old, new in lines if old != new]
    assert [line.split(":")[0].strip() for line in changed] == ["lambda"], changed[:9]

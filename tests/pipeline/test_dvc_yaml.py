"""dvc.yaml names what the stages use: DVC itself does not follow imports."""

import ast
import shutil
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo
from dvc.stage import PipelineStage
from dvc.utils.serialize import modify_yaml

from pipeline.settings.params import load_params
from pipeline.training import cell as finished

ROOT = Path(__file__).parents[2]
# Settings are dependencies by their keys; messages, launchers and records do not change results.
NOT_LISTED = {
    "pipeline/command.py",
    "pipeline/complaints.py",
    "pipeline/launch.py",
    "pipeline/params.py",
    "pipeline/protocol.py",
    "pipeline/provenance.py",
}

# They look at the pipeline, and make nothing that it needs.
COMMANDS = {"check_data", "readme"}


def stages_of(folder: Path, profile: str) -> dict[str, PipelineStage]:
    """The stages as DVC reads them with a profile, by name; name@key for table cells."""
    shutil.copyfile(ROOT / "dvc.yaml", folder / "dvc.yaml")
    settings = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    settings["profile"] = profile
    (folder / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    with Repo.init(str(folder), no_scm=True) as repo:
        return {stage.name: stage for stage in repo.index.stages}


@pytest.fixture(scope="module", params=["scribes", "manuscripts", "paper"])
def stages(request, tmp_path_factory) -> dict[str, PipelineStage]:
    return stages_of(tmp_path_factory.mktemp(request.param), request.param)


def sources(module: str) -> dict[str, Path]:
    """The source files of a module of this repository, by module; none for any other."""
    if module.split(".")[0] not in ("dgmp", "pipeline"):
        return {}
    path = ROOT / Path(*module.split("."))
    if path.with_suffix(".py").is_file():
        return {module: path.with_suffix(".py")}
    return {module: path / "__init__.py"} if path.is_dir() else {}


@cache
def imported(module: str) -> frozenset[str]:
    """The modules of this repository that a module imports itself."""
    found: set[str] = set()
    for path in sources(module).values():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: a relative import is not followed here"
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                modules = {name for name in inner if sources(name)}
                # `from package import name` runs the package's __init__, unless name is a module.
                found.update(modules if len(modules) == len(inner) else {*modules, node.module})
    return frozenset(name for name in found if sources(name))


def imported_files(module: str) -> set[str]:
    """All files that a module imports, directly and by way of others, and its own."""
    seen: set[str] = set()
    waiting = {module}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        waiting |= imported(name) - seen
    files = {path.relative_to(ROOT) for name in seen for path in sources(name).values()}
    named = {file.as_posix() for file in files if file.name != "__init__.py"} - NOT_LISTED
    return {file for file in named if not file.startswith("pipeline/settings/")}


def listed_files(stage: PipelineStage) -> set[str]:
    """The source files among a stage's dependencies, folders by their files."""
    listed: set[str] = set()
    for dep in stage.deps:
        if isinstance(dep, ParamsDependency) or dep.def_path.startswith(("data/", "reports/")):
            continue
        path = ROOT / dep.def_path
        assert path.exists(), f"dvc.yaml: {stage.name} depends on {dep.def_path}: missing"
        files = path.rglob("*.py") if path.is_dir() else [path]
        listed.update(f.relative_to(ROOT).as_posix() for f in files if f.name != "__init__.py")
    return listed


def test_smoke_stages_have_the_names_of_their_modules(stages):
    names = {name.split("@")[0] for name in stages}
    modules = {
        path.stem
        for path in (ROOT / "pipeline").glob("*.py")
        if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
    }
    assert names == modules - COMMANDS
    for name, stage in stages.items():
        module, _, key = name.partition("@")
        assert stage.cmd == " ".join(
            ["python", "-m", f"pipeline.{module}", *([key] if key else [])]
        )
        assert find_spec(f"pipeline.{module}")


def test_one_training_stage_for_each_cell(stages):
    cells = load_params(ROOT / "params.yaml").cells
    trained = {name for name in stages if name.startswith("train@")}
    assert trained == {f"train@{name}" for name in cells}


def test_dependencies_are_the_imported_modules(stages):
    # The cells of train share one list.
    wrong: dict[str, str] = {}
    for name, stage in stages.items():
        module = name.split("@")[0]
        needed, listed = imported_files(f"pipeline.{module}"), listed_files(stage)
        if needed != listed:
            missing, extra = sorted(needed - listed), sorted(listed - needed)
            wrong[module] = f"{module}: missing {missing}, not imported {extra}"
    assert not wrong, "dvc.yaml, deps of\n" + "\n".join(wrong.values())


def test_finished_runs_are_told_apart_by_the_code_of_training():
    # What only starts, finds and copies runs does not change them.
    passive = {f"pipeline/{name}.py" for name in ("finished", "identity", "interrupted", "train")}
    assert {path.as_posix() for path in finished.CODE} == imported_files("pipeline.train") - passive


def test_listed_settings_exist(stages):
    settings: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for name, stage in stages.items():
        for dep in stage.deps:
            for key in dep.params if isinstance(dep, ParamsDependency) else ():
                section = settings
                for part in key.split("."):
                    assert part in section, f"dvc.yaml: {name} lists {key}, not in params.yaml"
                    section = section[part]


def test_every_stage_depends_on_the_profile_and_writes_below_it(stages):
    profile = stages["acquire"].outs[0].def_path.split("/")[1]
    for name, stage in stages.items():
        keys = [
            key for dep in stage.deps if isinstance(dep, ParamsDependency) for key in dep.params
        ]
        assert "profile" in keys, name
        for out in stage.outs:
            assert out.def_path.split("/")[1] == profile, name
            # Persistent outputs would switch the run cache off.
            assert not out.persist, name


def test_inputs_are_outputs_of_other_stages_or_tracked(stages):
    made = {out.def_path for stage in stages.values() for out in stage.outs}
    for name, stage in stages.items():
        for dep in stage.deps:
            path = dep.def_path
            if isinstance(dep, ParamsDependency) or not path.startswith(("data/", "reports/")):
                continue
            covers = [out for out in made if out == path or out.startswith(f"{path}/")]
            assert covers or (ROOT / path).is_file(), f"dvc.yaml: {name} needs {path}, never made"


def test_a_cell_retrains_for_its_own_settings_only(stages):
    params = load_params(ROOT / "params.yaml")
    profile = stages["acquire"].outs[0].def_path.split("/")[1]
    for name, cell in params.cells.items():
        stage = stages[f"train@{name}"]
        keys = {k for dep in stage.deps if isinstance(dep, ParamsDependency) for k in dep.params}
        assert keys == {
            "profile",
            "protocol",
            "protocols.paper",
            f"cells.{name}",
            f"poolings.{cell.pooling}",
            f"profiles.{profile}.backbone",
            f"profiles.{profile}.compute",
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

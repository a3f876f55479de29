"""The wings of the house: who imports whom, and that dvc.yaml names what each stage imports."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
DOORS = {path.stem for path in (ROOT / "pipeline").glob("*.py")} - {"__init__"}
# From the lowest: a wing imports those before it.
WINGS = (
    "dgmp/files.py",
    "dgmp/scribes",
    "dgmp/images",
    "dgmp/scans",
    "dgmp/pooling",
    "dgmp/integrations",
    "dgmp/metrics",
    "dgmp/encoding",
    "dgmp/learning",
    "dgmp/analysis",
    "dgmp/search",
    "pipeline/shared",
    "pipeline/inputs",
    "pipeline/preparation",
    "pipeline/published",
    "pipeline/benchmark",
    "pipeline/pretrained",
    "pipeline/training",
    "pipeline/systems",
    "pipeline/surrogates",
    "pipeline/evaluation",
    "pipeline/plots",
    "pipeline/reporting",
    "pipeline/scans",
)
# They look at the pipeline, and no stage needs them.
COMMANDS = "pipeline/tools"
# Names from before the wings, for those who import them.
FORMER = {"ensemble", "functional", "intervals", "nearest", "significance", "weight_map"}


def wing_of(module: str) -> str | None:
    """The wing of a module of this repository; None for doors and other libraries."""
    path = module.replace(".", "/")
    inside = (w for w in (*WINGS, COMMANDS) if f"{path}/".startswith(f"{w.removesuffix('.py')}/"))
    return next(inside, None)


@cache
def imports(file: Path) -> set[str]:
    """The modules of this repository that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in ("dgmp", "pipeline")}


def door_of(stage: str) -> str:
    """The door of a stage: trunk-writers and trunk-scripts share one."""
    return stage.partition("-")[0]


def modules(wing: str) -> list[Path]:
    return sorted((ROOT / wing).rglob("*.py")) if not wing.endswith(".py") else [ROOT / wing]


@cache
def imported_wings(wing: str) -> set[str]:
    """The other wings that a wing imports itself."""
    found = {wing_of(name) for file in modules(wing) for name in imports(file)}
    return {other for other in found if other} - {wing}


def needed(door: str) -> set[str]:
    """The wings that a stage imports, directly and by way of others."""
    waiting = {w for name in imports(ROOT / f"pipeline/{door}.py") if (w := wing_of(name))}
    seen: set[str] = set()
    while waiting:
        seen.add(wing := waiting.pop())
        waiting |= imported_wings(wing) - seen
    return seen


def test_every_module_is_in_a_wing_a_door_or_a_former_name():
    files = {path for top in ("dgmp", "pipeline") for path in (ROOT / top).rglob("*.py")}
    inside = {path for wing in (*WINGS, COMMANDS) for path in modules(wing)}
    outside = {path.relative_to(ROOT).as_posix() for path in files - inside}
    former = {f"dgmp/{name}.py" for name in FORMER}
    doors = {f"pipeline/{name}.py" for name in DOORS}
    assert outside == former | doors | {"dgmp/__init__.py", "pipeline/__init__.py"}


@pytest.mark.parametrize("wing", [*WINGS, COMMANDS])
def test_a_wing_imports_only_wings_below_it(wing):
    below = set(WINGS[: WINGS.index(wing)]) if wing in WINGS else set(WINGS)
    assert imported_wings(wing) <= below
    for file in modules(wing):
        for name in imports(file):
            top, *rest = name.split(".")
            assert top == "dgmp" or wing.startswith("pipeline/"), f"{file} imports {name}"
            assert rest[0] not in FORMER or top != "dgmp", f"{file} imports {name}, a former name"
            assert rest[0] not in DOORS or top != "pipeline", f"{file} imports the stage {name}"


def test_no_circle_of_imports():
    files = [path for top in ("dgmp", "pipeline") for path in (ROOT / top).rglob("*.py")]
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in files}
    graph = {
        name: {n for i in imports(path) for n in (i, i.rpartition(".")[0]) if n in names} - {name}
        for name, path in names.items()
        if not name.endswith("__init__")
    }
    list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("door", sorted(DOORS))
def test_a_door_is_short_and_a_stage_and_imports_no_other(door):
    lines = (ROOT / f"pipeline/{door}.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 80
    assert lines[0].startswith(f'"""Stage {door}: ')
    others = {f"pipeline.{other}" for other in DOORS - {door}}
    imported = imports(ROOT / f"pipeline/{door}.py")
    assert not {name for name in imported if name in others or name.rpartition(".")[0] in others}
    stages = {name: stage for name, stage in STAGES.items() if door_of(name) == door}
    assert stages
    for name, stage in stages.items():
        # What it is called with: a key, an item of a list, or the end of its name.
        argument = {str: " ${key}", list: " ${item}"}.get(type(stage.get("foreach")))
        ending = name.removeprefix(door).replace("-", " ")
        wanted = f"python -m pipeline.{door}{argument or ending}"
        assert stage.get("do", stage)["cmd"] == wanted


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_wings_that_it_imports(stage):
    listed = {dep for dep in STAGES[stage].get("do", STAGES[stage])["deps"] if "${" not in dep}
    code = {dep for dep in listed if not dep.startswith("data/")}
    door = door_of(stage)
    assert code == needed(door) | {f"pipeline/{door}.py"}

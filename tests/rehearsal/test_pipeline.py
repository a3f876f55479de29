"""The whole pipeline through DVC at toy size, in a clone; the tests build on each other."""

import csv
import json
import shutil
import sys
from copy import deepcopy
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from dvc.repo import Repo

from dgmp.scribes import SCRIPT_TYPES, draw_scribe, write_page
from tests.pipeline.test_wings import DOORS, STAGES, WINGS, door_of, modules, needed
from tests.rehearsal.clone import (
    CELLS,
    ROOT,
    SCRIPTS,
    WRITERS,
    Clone,
    make_clone,
    ran,
    restored,
    toy,
)
from tests.rehearsal.staleness import (
    NAMES,
    WITHOUT_EFFECT,
    changed,
    closure,
    downstream,
    leaves,
    named,
    other,
    parsed_once,
    settings_of_stages,
    stale,
    stale_by_settings,
)

# DVC keeps no run cache of stages whose outputs git tracks; they take seconds each.
REPORTERS = {"tables", "figures", "report", "metrics"}
RESULTS = ["tables", "variant"]
"""What the tests of seeds ask for: drawing figures takes longest and shows nothing more."""

pytestmark = pytest.mark.rehearsal


def with_a_search(settings: dict[str, Any]) -> dict[str, Any]:
    """The toy, and a search in a folder of scans."""
    return toy(settings) | {"searches": {"own": {"pages": "scans"}}}


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    made = make_clone(tmp_path_factory.mktemp("rehearsal") / "clone", with_a_search)
    scans = made.folder / "scans"
    scans.mkdir()
    rng = np.random.default_rng(0)
    for hand in range(2):
        scribe = draw_scribe("Caroline", rng)
        for page in range(2):
            image = write_page(scribe, rng, height=240, width=320, line_pitch=30)
            cv2.imwrite(str(scans / f"{hand}-{page}.png"), image)
    return made


def test_repro_makes_all_tables_and_figures(clone):
    said = clone.repro()
    stages = [name.split("@")[0] for name in ran(said)]
    assert set(stages) == set(STAGES)
    assert stages.count("train") == len(CELLS)
    reports = clone.first_reports = clone.reports()
    assert set(reports) >= {
        f"table{i}.{kind}" for i in (1, 2, 3, 4) for kind in ("csv", "md", "tex")
    }
    for name, content in reports.items():
        assert content, name
        if name.endswith(".csv"):
            rows = list(csv.DictReader(content.decode().splitlines()))
            assert rows, name
            assert all(None not in row and None not in row.values() for row in rows), name
        elif name.endswith(".json"):
            json.loads(content)
    for name in (f"figure{number}" for number in range(1, 11)):
        assert reports[f"{name}.png"].startswith(b"\x89PNG")
        assert b"<svg" in reports[f"{name}.svg"]
    assert b"<h1>Deep Generalized Max Pooling</h1>" in reports["index.html"]
    records = json.loads(reports["provenance.json"])
    commit = clone.run("git", "rev-parse", "HEAD").strip()
    assert {run["git"]["commit"] for runs in records.values() for run in runs.values()} == {commit}
    assert f"commit <code>{commit[:12]}</code>".encode() in reports["index.html"]
    assert reports["table1.md"].startswith(b"# Table I")
    assert r"\begin{tabular}" in reports["table3.tex"].decode()
    metrics = clone.metrics()
    found = list(csv.DictReader((clone.folder / "reports/scans/own/hits.csv").open()))
    assert {row["page"] for row in found} == {f"{i}-{j}.png" for i in (0, 1) for j in (0, 1)}
    assert set(metrics) == {"variant", "table1", "table2", "table3", "table4"}
    assert 0 <= metrics["table1"][WRITERS]["mAP"] <= 100
    assert 0 <= metrics["table3"][SCRIPTS[0]]["ensemble"] <= 100


def test_a_second_repro_runs_nothing(clone):
    said = clone.repro()
    assert "Data and pipelines are up to date." in said
    assert not ran(said)


@pytest.fixture
def dvc_home(clone, monkeypatch):
    """DVC in this process works as the clone's own commands do."""
    for key, value in clone.environment.items():
        if key.startswith("DVC_"):
            monkeypatch.setenv(key, value)
    with parsed_once():
        yield


def all_read(settings: dict[str, Any]) -> dict[str, Any]:
    """With a frozen trunk in every task, which reads how images are made."""
    profile = settings["profiles"]["scribes"]
    for task in ("scripts_a", "scripts_b"):
        profile[task] |= {"trainable": 1, "views": 2}
    return settings


@pytest.mark.slow
def test_every_setting_reruns_what_reads_it(clone, dvc_home, tmp_path):
    # All stages once more in a copy, to see which settings they read.
    copy = Clone(tmp_path / "copy")
    shutil.copytree(clone.folder, copy.folder)
    shutil.rmtree(copy.folder / "data" / "scribes" / "runs")
    copy.adapt(all_read)
    below = downstream(clone.folder)
    said = copy.run(sys.executable, "-m", "tests.rehearsal.recorder", *below)
    read = json.loads(said.splitlines()[-1])
    file = clone.folder / "params.yaml"
    settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    others = {f"profiles.{name}." for name in settings["profiles"]} - {"profiles.scribes."}
    used = {cell["pooling"] for part in ("cells", "untrained") for cell in settings[part].values()}
    of_stages = settings_of_stages(clone.folder)
    asked: set[str] = set()
    wrong: dict[str, str] = {}
    for path in leaves(settings):
        key = ".".join(path)
        if path[0] == "poolings" and path[1] not in used:
            continue
        resolved = key.replace("defaults.", "profiles.scribes.", 1)
        if resolved in {*WITHOUT_EFFECT, *NAMES} or key.startswith(("protocols.", *others)):
            continue
        *sections, last = path
        in_names = last in ("task", "pooling")  # of files, too
        reruns = named(key, of_stages)
        # DVC itself takes half a second for each, so it is asked once a section.
        if in_names or path[0] not in asked:
            asked.add(path[0])
            changes = deepcopy(settings)
            place = reduce(getitem, sections, changes)
            place[last] = other(place[last], last, settings)
            text = yaml.safe_dump(changes, sort_keys=False)
            with changed(file, text), Repo(str(clone.folder)) as repo:
                found = (stale if in_names else stale_by_settings)(repo)
            assert in_names or found == reruns, key
            reruns = found
        # A source is read as the type of its section, with whatever else is read there.
        section = resolved.removesuffix(last) if last in ("source", "kind") else None
        readers = {
            name
            for name, keys in read.items()
            if resolved in keys or (section and any(k.startswith(section) for k in keys))
        }
        if path[0] == "searches":  # laid over search, which is read
            readers = {f"search@{path[1]}"}
        if not reruns or closure(reruns, below) != closure(readers, below):
            wrong[key] = f"dvc status names {sorted(reruns)}, read by {sorted(readers)}"
    assert not wrong


def test_every_module_reruns_the_stages_that_import_its_wing(clone, dvc_home):
    repo = Repo(str(clone.folder))
    deps = [(stage.name, dep) for stage in repo.index.stages for dep in stage.deps]
    wings_of = {door: {*needed(door), f"pipeline/{door}.py"} for door in DOORS}
    for wing in (*WINGS, *(f"pipeline/{door}.py" for door in DOORS)):
        users = [(name, dep) for name, dep in deps if dep.def_path == wing]
        doors = {door for door, wings in wings_of.items() if wing in wings}
        assert {door_of(name.partition("@")[0]) for name, _ in users} == doors, wing
        if not users:  # of integrations, which no stage uses
            continue
        files = [clone.folder / file.relative_to(ROOT) for file in modules(wing)]
        assert not [file for file in files if repo.dvcignore.is_ignored_file(str(file))]
        # All users of a wing ask for the same hash.
        with changed(files[-1], files[-1].read_text(encoding="utf-8") + "\n# changed\n"):
            assert users[0][1].status(), f"DVC does not see a change of {files[-1]}"


def test_a_variant_runs_without_the_tables(clone):
    before = clone.metrics()
    tables = {name: text for name, text in clone.reports().items() if name != "metrics.json"}
    said = clone.experiment(pooling__name="gem", train__margin=0.2)
    assert ran(said) == ["variant", "metrics"]
    after = clone.metrics()
    assert before["variant"] != after["variant"]
    assert after["variant"]["pooling"].startswith("GeM")
    assert after == before | {"variant": after["variant"]}
    assert clone.reports() == tables | {"metrics.json": clone.reports()["metrics.json"]}


@pytest.mark.slow
def test_a_wrong_pooling_is_one_clear_line(clone):
    code, said = clone.call("dvc", "exp", "run", "-S", "pooling.name=dgpm")
    assert code != 0
    assert "Traceback" not in said
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert errors == [
        "error: params.yaml: pooling.name: Input should be 'avg', 'avg_l2', 'dgmp', 'gem', 'lse', "
        "'max', 'mixed' or 'sum', got 'dgpm'"
    ]


@pytest.mark.slow
def test_a_new_seed_leaves_the_others_alone(clone):
    said = clone.experiment(
        *RESULTS,
        profiles__scribes__writers__seeds="[0,1,2]",
        pooling__name="dgmp",
        train__margin=0.1,
    )
    # The untrained row has no seeds of its own, but its settings are those of the task.
    trained = [name for name in ran(said) if name.startswith("train@")]
    assert trained == [f"train@{WRITERS}"]
    for seed in (0, 1):
        assert f"{WRITERS} seed {seed}: finished before" in said
    assert f"{WRITERS} seed 2: validation" in said


@pytest.mark.slow
def test_going_back_restores_from_the_run_cache(clone):
    assert clone.reports()["table1.csv"] != clone.first_reports["table1.csv"]
    said = clone.experiment(profiles__scribes__writers__seeds="[0,1]")
    assert set(ran(said)) <= REPORTERS
    assert {f"train@{WRITERS}", "evaluate", "variant"} <= set(restored(said))
    assert clone.reports() == clone.first_reports


def test_plots_are_drawn_without_a_network(clone):
    clone.run("dvc", "plots", "show")
    page = (clone.folder / "dvc_plots" / "index.html").read_text(encoding="utf-8")
    for field in ("error", "lambda", "validation_error"):
        assert f'"field": "{field}"' in page
    assert "<script src" not in page


def test_plots_of_two_revisions_stand_apart(clone):
    file = clone.folder / "reports/scribes/lambda.json"
    before = file.read_text(encoding="utf-8")
    clone.run("git", "add", "--all")
    clone.run("git", "commit", "--quiet", "--message", "as it was")
    file.write_text(before.replace("synthetic scribes", "other scribes"), encoding="utf-8")
    clone.run("dvc", "plots", "diff", "HEAD")
    file.write_text(before, encoding="utf-8")
    page = (clone.folder / "dvc_plots" / "index.html").read_text(encoding="utf-8")
    assert "other scribes" in page
    assert "synthetic scribes, margin" in page
    assert page.count('"rev": "HEAD"') > 10
    assert page.count('"rev": "workspace"') > 10


def make_input(folder: Path, acquire: dict[str, Any]) -> None:
    """Pages and labels, with just the columns that the README asks for."""
    rng = np.random.default_rng(0)
    lists: dict[str, list[dict[str, str]]] = {}
    writers, scripts, centuries = (
        acquire[task]["labels"] for task in ("writers", "scripts_a", "scripts_b")
    )
    for csv_file, count in ((writers, 12), (scripts, 12)):
        (folder / csv_file).parent.mkdir(parents=True)
        lists[csv_file] = []
        for number in range(count):
            script = sorted(SCRIPT_TYPES)[number % 3]
            scribe = draw_scribe(script, rng)
            for page in range(2):
                name = f"{number}-{page}.png"
                image = write_page(scribe, rng, height=192, width=240, line_pitch=48)
                cv2.imwrite(str((folder / csv_file).parent / name), image)
                split = "train" if number < 9 else "test"
                row = {"file": name, "split": split}
                lists[csv_file].append(row | {"label": script, "writer": str(number)})
    lists[centuries] = lists[writers]
    for csv_file, rows in lists.items():
        columns = {"label": "writer" if csv_file == writers else "label"}
        with (folder / csv_file).open("w", newline="", encoding="utf-8") as lines:
            table = csv.writer(lines)
            table.writerow(["file", "label", "split"])
            table.writerows([row["file"], row[columns["label"]], row["split"]] for row in rows)


@pytest.mark.slow
def test_profiles_lie_side_by_side(clone):
    scribes = clone.reports()
    settings = yaml.safe_load((clone.folder / "params.yaml").read_text(encoding="utf-8"))
    acquire = settings["profiles"]["folder"]["acquire"]
    make_input(clone.folder / acquire["folder"], acquire)
    said = clone.experiment(profile="folder")
    assert {f"train@{name}" for name in CELLS} <= set(ran(said))
    assert clone.reports() == scribes
    assert set(clone.reports("folder")) == set(scribes)
    titles = settings["profiles"]["folder"]["titles"]
    assert titles["writers"] in clone.reports("folder")["table1.md"].decode()
    assert clone.metrics("folder")["table1"].keys() == {WRITERS}


@pytest.mark.slow
def test_switching_back_trains_nothing(clone):
    scribes, folder = clone.reports(), clone.reports("folder")
    said = clone.experiment("compare", "variant", profile="scribes")
    assert not ran(said)
    assert {f"train@{name}" for name in CELLS} <= set(restored(said))
    assert clone.reports() == scribes
    assert clone.reports("folder") == folder

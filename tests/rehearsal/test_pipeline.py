"""The whole pipeline through DVC at toy size, in a clone; the tests build on each other."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from dgmp.scribes import SCRIPT_TYPES, draw_scribe, write_page
from tests.rehearsal.clone import (
    CELLS,
    COMMANDS,
    ROOT,
    SCRIPTS,
    WRITERS,
    Clone,
    make_clone,
    ran,
    restored,
    toy,
)

# DVC keeps no run cache of stages whose outputs git tracks; they take seconds each.
DRAWN = {"diagram", "samples", "figures", "margins", "confusion", "rankings", "gallery", "lambdas"}
REPORTERS = {"tables", "metrics", "report", *DRAWN}

pytestmark = pytest.mark.rehearsal


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    return make_clone(tmp_path_factory.mktemp("rehearsal") / "clone", toy)


def test_repro_makes_all_tables_and_figures(clone):
    said = clone.repro()
    stages = [name.split("@")[0] for name in ran(said)]
    assert set(stages) == {path.stem for path in _stage_modules()}
    assert stages.count("train") == len(CELLS)
    reports = clone.first_reports = clone.reports()
    assert set(reports) >= {f"table{i}.{kind}" for i in (1, 2, 3) for kind in ("csv", "md", "tex")}
    for name, content in reports.items():
        assert content, name
        if name.endswith(".csv"):
            rows = list(csv.DictReader(content.decode().splitlines()))
            assert rows, name
            assert all(None not in row and None not in row.values() for row in rows), name
        elif name.endswith(".json"):
            json.loads(content)
    for name in (f"figure{number}" for number in range(1, 9)):
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
    assert set(metrics) == {"variant", "table1", "table2", "table3"}
    assert 0 <= metrics["table1"][WRITERS]["mAP"] <= 100
    assert 0 <= metrics["table3"][SCRIPTS[0]]["ensemble"] <= 100


def _stage_modules() -> Iterator[Path]:
    for path in (ROOT / "pipeline").glob("*.py"):
        is_run = 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
        if is_run and path.stem not in COMMANDS:
            yield path


def test_a_second_repro_runs_nothing(clone):
    said = clone.repro()
    assert "Data and pipelines are up to date." in said
    assert not ran(said)


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


def test_a_wrong_pooling_is_one_clear_line(clone):
    code, said = clone.call("dvc", "exp", "run", "-S", "pooling.name=dgpm")
    assert code != 0
    assert "Traceback" not in said
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert errors == [
        "error: params.yaml: pooling.name: Input should be 'avg', 'avg_l2', 'dgmp', 'gem', 'lse', "
        "'max', 'mixed' or 'sum', got 'dgpm'"
    ]


def test_a_new_seed_leaves_the_others_alone(clone):
    said = clone.experiment(
        profiles__scribes__writers__seeds="[0,1,2]", pooling__name="dgmp", train__margin=0.1
    )
    assert [name for name in ran(said) if "@" in name] == [f"train@{WRITERS}"]
    for seed in (0, 1):
        assert f"{WRITERS} seed {seed}: finished before" in said
    assert f"{WRITERS} seed 2: validation" in said


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


def test_profiles_lie_side_by_side(clone):
    scribes = clone.reports()
    settings = yaml.safe_load((clone.folder / "params.yaml").read_text(encoding="utf-8"))
    acquire = settings["profiles"]["manuscripts"]["acquire"]
    make_input(clone.folder / acquire["folder"], acquire)
    said = clone.experiment(profile="manuscripts")
    assert {f"train@{name}" for name in CELLS} <= set(ran(said))
    assert clone.reports() == scribes
    assert set(clone.reports("manuscripts")) == set(scribes)
    titles = settings["profiles"]["manuscripts"]["titles"]
    assert titles["writers"] in clone.reports("manuscripts")["table1.md"].decode()
    assert clone.metrics("manuscripts")["table1"].keys() == {WRITERS}


def test_switching_back_trains_nothing(clone):
    scribes, manuscripts = clone.reports(), clone.reports("manuscripts")
    said = clone.experiment(profile="scribes")
    assert set(ran(said)) <= REPORTERS
    assert clone.reports() == scribes
    assert clone.reports("manuscripts") == manuscripts

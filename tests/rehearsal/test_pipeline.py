"""The whole pipeline through DVC at toy size, in a clone; the tests build on each other."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from dgmp.scribes import SCRIPT_TYPES, draw_scribe, write_page

ROOT = Path(__file__).parents[2]
WRITERS, SCRIPTS = "writers-dgmp-1k-m01", ["scripts-a-dgmp-5k", "scripts-b-avg"]
CELLS = [WRITERS, *SCRIPTS]
# DVC keeps no run cache of stages whose outputs git tracks; they take seconds each.
REPORTERS = {"tables", "figures", "gallery", "metrics"}
PAGE = {"height": 96, "width": 120, "line_pitch": 24}

pytestmark = pytest.mark.rehearsal


class Clone:
    """A repository of its own with the sources of this one and toy settings, all committed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.first_reports: dict[str, bytes] = {}
        home = folder.with_name("home")
        self.environment = {
            **{key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
            # Stages call python by name, as in an activated environment.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            **{f"GIT_{who}_NAME": "rehearsal" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "rehearsal@example.org" for who in ("AUTHOR", "COMMITTER")},
            **{f"DVC_{what}_DIR": str(home) for what in ("GLOBAL_CONFIG", "SYSTEM_CONFIG")},
            "DVC_SITE_CACHE_DIR": str(home / "cache"),
            "DVC_NO_ANALYTICS": "1",
        }

    def call(self, *command: str) -> tuple[int, str]:
        """Exit code and everything that a command says."""
        ended = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return ended.returncode, ended.stdout

    def run(self, *command: str) -> str:
        """What a command says; it must succeed."""
        code, said = self.call(*command)
        assert code == 0, f"{' '.join(command)} ended with {code}:\n{said}"
        return said

    def repro(self) -> str:
        return self.run("dvc", "repro")

    def experiment(self, **settings: Any) -> str:
        """`dvc exp run` with some settings, a double underscore in place of each dot."""
        pairs = [f"{key.replace('__', '.')}={value}" for key, value in settings.items()]
        return self.run("dvc", "exp", "run", *(part for pair in pairs for part in ("-S", pair)))

    def reports(self, profile: str = "scribes") -> dict[str, bytes]:
        folder = self.folder / "reports" / profile
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

    def metrics(self, profile: str = "scribes") -> dict[str, Any]:
        return json.loads(self.reports(profile)["metrics.json"])


def ran(said: str) -> list[str]:
    return re.findall(r"Running stage '([^']+)'", said)


def restored(said: str) -> list[str]:
    return re.findall(r"Stage '([^']+)' is cached - skipping run", said)


def toy(settings: dict[str, Any]) -> dict[str, Any]:
    """Four cells and the least of everything that still runs through all of the code."""
    settings["profile"] = "scribes"
    settings["cells"] = {name: settings["cells"][name] for name in CELLS}
    names = ["writers-avg-untrained", "scripts-b-avg-untrained"]
    settings["untrained"] = {name: settings["untrained"][name] for name in names}
    settings["tables"] = {"table1": [WRITERS], "table2": [WRITERS], "table3": SCRIPTS}
    scripts = PAGE | {"train": 12, "validation": 12, "test": 12}
    writers = PAGE | {"train_scribes": 4, "train_pages": 2, "test_scribes": 2, "test_pages": 2}
    schedule = {"epochs": 2, "decay_start": 1, "evaluation_batch": 64}
    batch = {"steps_per_epoch": 1, "writers_per_batch": 2, "patches_per_writer": 2}
    acquire = settings["profiles"]["scribes"]["acquire"]
    for task, size in (("writers", writers), ("scripts_a", scripts), ("scripts_b", scripts)):
        acquire[task] |= size
    for name in ("scribes", "manuscripts"):
        profile = settings["profiles"][name]
        # One profile in processes side by side, and one in a single process, which starts faster.
        profile["workers"] = 2 if name == "scribes" else 1
        profile["patches"] |= {"size": 40, "stride": 24, "threshold": 60}
        profile["backbone"] |= {"width": 2}
        profile["pretrain"] |= PAGE | {"scribes": 3, "pages": 1}
        profile["pretrain"] |= {"crop": 40, "batch_size": 8, "steps": 2}
        profile["writers"] |= schedule | batch | {"seeds": [0, 1]}
        for task in ("scripts_a", "scripts_b"):
            profile[task] |= schedule | {"batch_size": 6, "crop": 32, "seeds": [0, 1]}
    return settings


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    clone = Clone(tmp_path_factory.mktemp("rehearsal") / "clone")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        # The lock file knows other settings, and DVC writes it anew after each stage.
        if (ROOT / name).is_file() and name != "dvc.lock":
            (clone.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, clone.folder / name)
    file = clone.folder / "params.yaml"
    settings = toy(yaml.safe_load(file.read_text(encoding="utf-8")))
    file.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    clone.run("git", "init", "--quiet")
    clone.run("git", "add", "--all")
    clone.run("git", "commit", "--quiet", "--message", "toy size")
    return clone


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
    for name in ("figure4", "gallery"):
        assert reports[f"{name}.png"].startswith(b"\x89PNG")
        assert b"<svg" in reports[f"{name}.svg"]
    assert reports["table1.md"].startswith(b"# Table I")
    assert r"\begin{tabular}" in reports["table3.tex"].decode()
    metrics = clone.metrics()
    assert set(metrics) == {"variant", "table1", "table2", "table3"}
    assert 0 <= metrics["table1"][WRITERS]["mAP"] <= 100
    assert 0 <= metrics["table3"][SCRIPTS[0]]["ensemble"] <= 100


def _stage_modules() -> Iterator[Path]:
    for path in (ROOT / "pipeline").glob("*.py"):
        if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8"):
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


def test_plots_are_drawn_in_the_browser(clone):
    clone.run("dvc", "plots", "show")
    page = (clone.folder / "dvc_plots" / "index.html").read_text(encoding="utf-8")
    assert '"field": "error"' in page
    assert "vega" in page


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

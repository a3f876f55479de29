"""The profile `paper` through DVC, on small archives of the real layout from a local site."""

import csv
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal import archives
from tests.rehearsal.clone import CELLS, SCRIPTS, WRITERS, make_clone, ran, toy
from tests.rehearsal.server import Site, serve

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]

RESULTS = ("tables", "metrics")
"""What is asked for: figures and report are drawn of the other profiles."""


class Paper:
    """The clone, the site that it downloads from, and what is wrong with the site's files."""

    def __init__(self, folder: Path, site: Site, made: archives.Made) -> None:
        self.site, self.made = site, made
        self.clone = make_clone(folder / "clone", self._settings)
        adapt = partial(archives.sources_for, folder=site.folder, address=site.address, made=made)
        self.clone.adapt(adapt, "data/sources.yaml")
        self.data = self.clone.folder / "data" / "paper"
        # As the documentation advises, which makes outputs read-only.
        self.clone.run("dvc", "config", "cache.type", "hardlink")

    @staticmethod
    def _settings(settings: dict[str, Any]) -> dict[str, Any]:
        return toy(settings) | {"profile": "paper"}

    def go_on(self, settings: dict[str, Any]) -> dict[str, Any]:
        settings["profiles"]["paper"]["acquire"]["incomplete"] = "leave-out"
        return settings

    def rows(self, name: str) -> list[dict[str, str]]:
        text = (self.data / name).read_text(encoding="utf-8")
        return list(csv.DictReader(text.splitlines()))


@pytest.fixture(scope="module")
def paper(tmp_path_factory) -> Iterator[Paper]:
    folder = tmp_path_factory.mktemp("paper")
    made = archives.make(folder / "site")
    with serve(folder / "site") as site:
        site.record = [archives.WRITER_TRAIN, archives.WRITER_TEST]
        site.break_off = {archives.CLAMM16_TRAIN}
        yield Paper(folder, site, made)


def test_it_stops_at_pages_that_are_missing_or_unreadable_and_names_them(paper):
    code, said = paper.clone.call("dvc", "repro")
    assert code != 0
    assert "Traceback" not in said
    stopped = next(line for line in said.splitlines() if line.startswith("error: "))
    assert "3 pages are missing, unreadable or blank" in stopped
    for name, files in paper.made.unusable.items():
        assert f"{name} {files[0]}" in stopped
    assert "profiles.paper.acquire.incomplete to leave-out" in stopped
    assert not (paper.data / "acquire").exists()
    listed = {row["file"] for row in paper.rows("differences.csv")}
    assert {file for files in paper.made.unusable.values() for file in files} <= listed
    # The transfer that broke off went on where it was.
    first, second = paper.site.asked_for(archives.CLAMM16_TRAIN)
    assert first is None
    assert second is not None
    assert int(second.removeprefix("bytes=").rstrip("-")) > 0


def test_without_them_it_runs_through_to_the_tables(paper):
    asked = paper.site.asked_for_files()
    paper.clone.adapt(paper.go_on)
    said = paper.clone.repro(*RESULTS)
    assert {f"train@{name}" for name in CELLS} <= set(ran(said))
    assert paper.site.asked_for_files() == asked, "downloads were there"
    reports = paper.clone.reports("paper")
    assert set(reports) >= {f"table{i}.{kind}" for i in (1, 2, 3) for kind in ("csv", "md", "tex")}
    for title in ("ICDAR17-WI", "CLaMM16", "CLaMM17"):
        assert title in reports["table1.md"].decode() + reports["table3.md"].decode()
    metrics = paper.clone.metrics("paper")
    assert 0 <= metrics["table1"][WRITERS]["mAP"] <= 100
    assert 0 <= metrics["table3"][SCRIPTS[1]]["ensemble"] <= 100


def test_every_difference_is_listed_by_name(paper):
    rows = paper.rows("acquire/differences.csv")
    files = {row["file"] for row in rows}
    assert set(paper.made.noted) <= files
    left_out = {row["file"] for row in rows if row["action"] == "left out"}
    assert {file for files in paper.made.unusable.values() for file in files} <= left_out
    doubled = next(row for row in rows if row["file"] == archives.DOUBLED)
    assert doubled["action"].startswith("left out of train")
    splits = {
        row["split"]
        for row in paper.rows("acquire/scripts_b.csv")
        if row["file"].endswith(archives.DOUBLED)
    }
    assert splits == {"val"}
    test = [row["file"] for row in paper.rows("acquire/scripts_b.csv") if row["split"] == "test"]
    assert any(file.endswith(archives.RIGHT) for file in test)
    short = {
        (row["set"], row["split"], row["label"]): int(row["listed"]) - int(row["taken"])
        for row in paper.rows("acquire/counts.csv")
    }
    lost = {key: missing for key, missing in short.items() if missing}
    assert lost == {
        ("ICDAR17-WI", "test", "1"): 1,
        ("CLaMM16", "train", "Cursiva"): 1,
        ("CLaMM17", "val", "Caroline"): 1,
        ("CLaMM17", "train", "Half Uncial"): 1,
    }
    overlap = paper.rows("acquire/overlap.csv")
    assert {(row["first"], row["second"]) for row in overlap} == {("CLaMM16 test", "CLaMM17 train")}


def test_only_pages_that_lists_name_are_unpacked(paper):
    unpacked = {path.name for path in (paper.data / "acquire" / "pages").rglob("*.*")}
    lists = (
        row
        for task in ("writers", "scripts_a", "scripts_b")
        for row in paper.rows(f"acquire/{task}.csv")
    )
    assert unpacked == {Path(row["file"]).name for row in lists}


def test_pages_are_stored_once(paper):
    page = next((paper.data / "acquire" / "pages").rglob("*.tif"))
    assert page.stat().st_nlink == 2
    assert not [path for path in paper.data.rglob(".*") if path.name.endswith(".part")]


def test_a_second_repro_runs_nothing(paper):
    said = paper.clone.repro(*RESULTS)
    assert "Data and pipelines are up to date." in said
    assert not ran(said)


def test_without_a_network_it_runs_from_a_mirror(paper, tmp_path):
    before = paper.rows("acquire/writers.csv")
    mirror = tmp_path / "mirror"
    for file in (paper.data / "downloads").iterdir():
        (mirror / file.suffix[1:]).mkdir(parents=True, exist_ok=True)
        shutil.move(file, mirror / file.suffix[1:] / file.name)
    paper.site.shutdown()
    paper.site.server_close()
    paper.clone.environment["DGMP_MIRROR"] = str(mirror)
    said = paper.clone.run("dvc", "repro", "--force", "--single-item", "acquire")
    assert "downloading" not in said
    assert paper.rows("acquire/writers.csv") == before
    assert list((paper.data / "downloads").iterdir()) == []
    code, said = paper.clone.call("python", "-m", "pipeline.tools.check_data")
    assert code == 1
    states = [line.split()[0] for line in said.splitlines() if line.endswith((".zip", ".txt"))]
    assert states == ["mirror"] * 14
    assert "resnet50-0676ba61.pth" in next(
        line for line in said.splitlines() if line.startswith("missing")
    )
    assert len(said.splitlines()) <= 24
    assert "pages: CLaMM16 test 12/12" in said


def test_a_file_that_changed_is_refused(paper):
    # Written to the mirror by the test before.
    file = next(Path(paper.clone.environment["DGMP_MIRROR"]).rglob(archives.CLAMM17_TEST))
    data = bytearray(file.read_bytes())
    data[200] ^= 1
    file.write_bytes(data)
    code, said = paper.clone.call("dvc", "repro", "--force", "--single-item", "acquire")
    assert code != 0
    error = next(line for line in said.splitlines() if line.startswith("error: "))
    assert archives.CLAMM17_TEST in error
    assert "expected sha256:" in error
    assert "found sha256:" in error
    assert "replace it in the mirror" in error

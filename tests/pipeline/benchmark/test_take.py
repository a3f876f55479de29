"""The stage acquire on a made-up benchmark, from a server on loopback and from a mirror."""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import pytest
import yaml

from pipeline import acquire
from pipeline.benchmark import rebuilding
from pipeline.published import resuming
from pipeline.shared.page_lists import Page, read_pages
from pipeline.shared.settings.params import Params, load_params
from tests.pipeline.benchmark import made_up
from tests.pipeline.benchmark.made_up import COMMITS, Files, packed
from tests.rehearsal.server import Site, serve

ROOT = Path(__file__).parents[3]
TASKS = ("writers", "scripts_a", "scripts_b")
FIRST, SECOND = COMMITS


class Place(NamedTuple):
    """The current folder with a made-up benchmark, whose archives a site serves."""

    site: Site
    files: Files

    def publish(self, repository: str, **others: Any) -> None:
        data = packed(repository, self.files[repository], **others)
        (self.site.folder / f"{COMMITS[repository]}.tar.gz").write_bytes(data)

    def asked(self) -> list[str]:
        return [path.rpartition("/")[2][:1] for path in self.site.asked_for_files()]


@pytest.fixture
def place(tmp_path, monkeypatch) -> Iterator[Place]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DGMP_MIRROR", raising=False)
    monkeypatch.setattr(resuming, "PAUSE", 0.01)
    (tmp_path / "site").mkdir()
    with serve(tmp_path / "site") as site:
        place = Place(site, made_up.make(tmp_path, site.address))
        for repository in COMMITS:
            place.publish(repository)
        yield place


def settings(profile: str = "manuscripts", **changes: Any) -> Params:
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content["profile"] = profile
    content["profiles"][profile]["workers"] = 1
    content["profiles"][profile]["acquire"] |= changes
    Path("params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_params()


def acquired(params: Params) -> dict[str, bytes]:
    folder = params.data / "acquire"
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def rows(name: str) -> list[dict[str, str]]:
    with open(f"data/benchmark/{name}.csv", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_smoke_from_the_network(place, caplog):
    params = settings()
    acquire.stage(params)
    writers, scripts, centuries = (
        read_pages(params.data / "acquire" / f"{task}.csv") for task in TASKS
    )
    assert Counter(page.split for page in writers) == {"train": 4, "val": 4, "test": 4}
    assert Page("pages/m/11.png", "m5", "test", "") in writers
    assert {page.group for page in scripts} == {f"codex {number}" for number in range(6)}
    assert len(centuries) == 11  # one page is of no century
    for page in [*rows("manuscripts"), *rows("scripts")]:
        file = params.data / "acquire" / "pages" / page["file"]
        assert made_up.pixels(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)) == page["pixels"]
    assert place.asked() == ["1", "2"]
    assert {path.name for path in params.data.iterdir()} == {"acquire", "pages", "downloads"}
    assert not caplog.records


def test_oracle_the_same_pages_from_a_folder(place):
    built = settings()
    acquire.stage(built)
    folder = Path("scans")
    for page in (built.data / "pages").rglob("*.*"):
        target = folder / page.relative_to(built.data / "pages")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(page.read_bytes())
    for name, column in (
        ("manuscripts", "label"),
        ("scripts", "label"),
        ("manuscripts", "centuries"),
    ):
        listed = [row | {"label": row[column]} for row in rows(name) if row[column]]
        made_up.write_rows(folder / f"{name}-{column}.csv", listed)
    own = settings(
        "folder",
        folder="scans",
        writers={"labels": "manuscripts-label.csv", "group": None},
        scripts_a={"labels": "scripts-label.csv", "group": "manuscript"},
        scripts_b={"labels": "manuscripts-centuries.csv", "group": "manuscript"},
    )
    acquire.stage(own)
    assert acquired(own) == acquired(built)


@pytest.mark.parametrize(
    "name", ["{repository}-{commit}.tar.gz", "deep/er/{short}-{commit}.tar.gz"]
)
def test_property_a_mirror_needs_no_network(place, monkeypatch, name):
    params = settings()
    acquire.stage(params)
    before = acquired(params)
    mirror = Path("mirror")
    for repository, commit in COMMITS.items():
        short = repository.partition("/")[2]
        named = name.format(repository=repository.replace("/", "+"), short=short, commit=commit)
        (mirror / named).parent.mkdir(parents=True, exist_ok=True)
        (mirror / named).write_bytes(packed(repository, place.files[repository]))
    monkeypatch.setenv("DGMP_MIRROR", str(mirror))
    for folder in ("pages", "downloads"):
        (params.data / folder).rename(f"old-{folder}")
    place.site.requests.clear()
    acquire.stage(params)
    assert acquired(params) == before
    assert place.site.requests == []
    assert not (params.data / "downloads").exists()


def test_property_a_cut_transfer_goes_on(place):
    name = f"{COMMITS[FIRST]}.tar.gz"
    place.files[FIRST]["noise"] = hashlib.shake_256(b"x").digest(300_000)
    place.publish(FIRST)
    place.site.break_off = {name}
    acquire.stage(settings())
    first, second = place.site.asked_for(name)
    assert first is None
    assert second.startswith("bytes=")


def test_property_a_killed_run_goes_on(place, monkeypatch):
    params, build, done = settings(), rebuilding.build, []

    def interrupted(job):
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append(job.page.file)
        return build(job)

    monkeypatch.setattr("pipeline.benchmark.store.build", interrupted)
    with pytest.raises(KeyboardInterrupt):
        acquire.stage(params)
    assert {path.name for path in params.data.iterdir()} == {"pages", "downloads"}
    again = []
    monkeypatch.setattr(
        "pipeline.benchmark.store.build", lambda job: again.append(job.page.file) or build(job)
    )
    acquire.stage(params)
    assert len(again) == 24 - 5
    assert not set(again) & set(done)
    assert place.asked() == ["1", "2"]


def test_property_a_damaged_page_of_the_store_is_built_again(place):
    params = settings()
    acquire.stage(params)
    before = acquired(params)
    (params.data / "pages" / "m" / "3.png").write_bytes(b"\x89PNG")
    acquire.stage(params)
    assert acquired(params) == before


def test_property_what_is_left_out_is_told(place, caplog):
    caplog.set_level("INFO")
    made_up.edit_yaml(Path(), lambda content: content.update(left_out={"m4": "is there twice"}))
    params = settings()
    acquire.stage(params)
    assert not {"pages/m/8.png", "pages/m/9.png"} & acquired(params).keys()
    assert len(read_pages(params.data / "acquire" / "scripts_b.csv")) == 9
    for task in ("writers", "scripts_b"):
        assert f"acquire {task}: 2 pages of m4 left out: is there twice" in caplog.text


def test_errors_a_moved_commit(place):
    (place.site.folder / f"{COMMITS[SECOND]}.tar.gz").unlink()
    told = (
        r"two/pages at commit 2{40}: two\+pages-2{40}\.tar\.gz cannot be downloaded: .*404.*"
        r"DGMP_MIRROR.*data/benchmark\.yaml"
    )
    with pytest.raises(ValueError, match=told):
        acquire.stage(settings())


def test_errors_another_commit_in_the_archive(place):
    place.publish(FIRST, commit="3" * 40)
    told = (
        r"14 pages cannot be built.*one/words at commit 1{40}: data/ms é/0\.png, data/ms é/0\.xml: "
        r".*is of commit 3{40}.*delete the archive.*acquire\.incomplete to leave-out"
    )
    with pytest.raises(ValueError, match=told):
        acquire.stage(settings())


def test_errors_a_changed_byte_and_a_vanished_file(place):
    files = place.files[SECOND]
    files["data/ms é/8.png"] += b"!"
    del files["data/ms é/9.xml"]
    place.publish(SECOND)
    params = settings()
    with pytest.raises(ValueError, match=r"3 pages cannot be built.*m/8\.png: two/pages at commit "
                       r"2{40}: data/ms é/8\.png: has other bytes: its git object id is .*"
                       r"m/9\.png: .*data/ms é/9\.xml: is not in"):  # fmt: skip
        acquire.stage(params)
    assert not (params.data / "acquire").exists()
    assert len(list((params.data / "pages").rglob("*.*"))) == 24 - 3
    with open(params.data / "lost_pages.csv", encoding="utf-8", newline="") as lines:
        lost = list(csv.DictReader(lines))
    assert [row["page"] for row in lost] == ["m/8.png", "m/9.png", "s/8.jpg"]


def test_errors_a_web_page_in_place_of_an_archive(place):
    downloads = Path("data/manuscripts/downloads")
    downloads.mkdir(parents=True)
    (downloads / f"one+words-{COMMITS[FIRST]}.tar.gz").write_text("<html>log in</html>")
    with pytest.raises(ValueError, match=r"14 pages .*is no whole tar\.gz archive \(not a gzip"):
        acquire.stage(settings())


def test_property_leave_out(place, caplog):
    place.files[SECOND]["data/ms é/8.png"] += b"!"
    place.publish(SECOND)
    params = settings(incomplete="leave-out")
    acquire.stage(params)
    pages = {
        page.file for task in TASKS for page in read_pages(params.data / f"acquire/{task}.csv")
    }
    assert len(pages) == 24 - 2
    assert "2 pages cannot be built, all listed in data/manuscripts/lost_pages.csv" in caplog.text


def test_property_leave_out_a_repository(place, caplog):
    (place.site.folder / f"{COMMITS[FIRST]}.tar.gz").unlink()
    with pytest.raises(ValueError, match="the train rows have one label only"):
        acquire.stage(settings(incomplete="leave-out"))
    assert "one/words at commit 1" in caplog.text
    assert "14 pages cannot be built" in caplog.text


def test_errors_a_layout_that_gives_another_crop(place):
    listed = rows("manuscripts")
    listed[0]["left"] = str(int(listed[0]["left"]) + 1)
    made_up.write_rows(Path("data/benchmark/manuscripts.csv"), listed)
    with pytest.raises(
        ValueError, match=r"0\.xml gives a text block from \(20, 32\) to .* listed is"
    ):
        acquire.stage(settings())


def test_property_other_pixels_are_told(place, caplog):
    listed = rows("manuscripts")
    listed[0]["pixels"] = "0" * 64
    made_up.write_rows(Path("data/benchmark/manuscripts.csv"), listed)
    acquire.stage(settings())
    assert "1 pages differ in pixels from those that were listed, e.g. m/0.png" in caplog.text


def test_errors_no_room(place, monkeypatch):
    monkeypatch.setattr(resuming, "RESERVE", 1 << 60)
    with pytest.raises(ValueError, match=r"2 archives: .* needs 0\.00 GB, free are .*make room"):
        acquire.stage(settings())
    assert place.site.requests == []

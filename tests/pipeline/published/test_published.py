"""The published data sets: their lists, what differs from them, and the real lists."""

import csv
import shutil
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from dgmp.images.binarization import binarize
from pipeline.preparation.folder import Row, hold_out_writers
from pipeline.published import resuming, unpack
from pipeline.published import take as published
from pipeline.published.discrepancies import against_official, drop_doubled, overlaps
from pipeline.published.download import Downloads
from pipeline.published.page_lists import Listed, key_of, read_list, read_official
from pipeline.published.sources import DataSet, Part, Sources, load_sources, read_found
from pipeline.published.take import take_published
from pipeline.shared.page_lists import Page
from pipeline.shared.settings.data import AcquirePublished
from pipeline.shared.settings.params import load_params
from tests.rehearsal import archives

ROOT = Path(__file__).parents[3]
MIRROR = ROOT.parent / "shared" / "mirror"
SOURCES = load_sources(ROOT / "data" / "sources.yaml")
WRITERS, CLAMM16, CLAMM17 = (SOURCES.sets[name] for name in ("writers", "scripts_a", "scripts_b"))

needs_real_lists = pytest.mark.skipif(
    not MIRROR.is_dir(), reason="the real page lists are not beside the repository"
)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("7-IMG_MAX_10038.png", "7-10038"),
        ("7-IMG_MAX_10038", "7-10038"),
        ("1-img_max_10002.JPG", "1-10002"),
        ("7-3-IMG_MAX-10038.jpeg", "7-10038"),
        ("Thumbs.db", None),
        ("7-IMG_MAX_10038.txt", None),
        ("x7-IMG_MAX_10038.png", None),
    ],
)
def test_oracle_keys_of_writer_pages(name, key):
    assert key_of(name, WRITERS) == key


def test_oracle_keys_of_class_pages():
    assert key_of("IRHT_p_000123.tif", CLAMM16) == key_of("IRHT_P_000123.TIF", CLAMM16)
    assert key_of("Thumbs.db", CLAMM16) is None
    assert key_of("@CLaMM-filelist.csv", CLAMM16) is None


def toy_list(folder: Path, *lines: str, labels: int = 2, each: Any = 2) -> list[Listed]:
    file = folder / "list.txt"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    part = Part(split="train", list="l", archive="a", labels=labels, pages_per_label=each)
    return read_list(file, part, WRITERS if "IMG_MAX" in lines[0] else CLAMM16)


GOOD = ("7-IMG_MAX_1 7", "7-IMG_MAX_2 7", "8-IMG_MAX_3 8", "8-IMG_MAX_4 8")


def test_smoke_lists(tmp_path):
    assert toy_list(tmp_path, *GOOD)[2] == ("8-IMG_MAX_3", "8-3", "8")
    pages = toy_list(tmp_path, "a.tif 0", "b.tif 11", each=1)
    assert [page.label for page in pages] == ["Caroline", "Uncial"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (GOOD[:3], r"2 pages of 8 wanted, found 1"),
        ((*GOOD, "9-IMG_MAX_5 9"), r"2 labels wanted, found 3"),
        ((*GOOD[:3], "8-IMG_MAX_3 8"), r"line 4: 8-IMG_MAX_3 is named twice"),
        ((*GOOD[:3], "8-IMG_MAX_4 7"), r"line 4: 8-IMG_MAX_4 is not a page of writer 7"),
        ((*GOOD[:3], "<html>"), r"line 4: '<html>' is no page"),
        (("a.tif 12", "b.tif 1"), r"line 1: 'a\.tif 12' is no page with a label of the set"),
    ],
)
def test_errors_lists(tmp_path, lines, message):
    with pytest.raises(ValueError, match=message):
        toy_list(tmp_path, *lines)


def page(name: str, label: str = "Caroline") -> Listed:
    return Listed(name, name.lower(), label)


def test_oracle_official_lists():
    old = "FILENAME;SCRIPT_TYPE\na.tif;Caroline\nB.tif;Half_Uncial\nc.tif;Runes\n"
    assert read_official(old.encode(), CLAMM16) == {
        "a.tif": ("a.tif", "Caroline"),
        "b.tif": ("B.tif", "Half Uncial"),
        "c.tif": ("c.tif", None),
    }
    new = "TASK;FILENAME;SCRIPT;DATE\r\nTask_1_3;IRHT_P_009783.tif;5;11\r\n"
    assert read_official(new.encode("utf-8-sig"), CLAMM17) == {
        "irht_p_009783.tif": ("IRHT_P_009783.tif", "Humanistic Cursive")
    }
    with pytest.raises(ValueError, match="no column FILENAME"):
        read_official(b"<html>", CLAMM16)


def test_oracle_differences_from_the_official_list():
    text = b"FILENAME;S\na.tif;Uncial\nb.tif;Runes\ngone.tif;Uncial\nA2.tif;Caroline\n"
    listed = [page("a.tif"), page("b.tif"), page("a2.tif"), page("new.tif")]
    present = {"a.tif": "a.tif", "b.tif": "b.tif", "a2.tif": "A2.tif", "new.tif": "new.tif"}
    found = against_official(text, "@list.csv", listed, present, CLAMM16)
    assert [(row.file, row.problem) for row in found] == [
        ("gone.tif", "named in @list.csv, not in the archive"),
        ("a.tif", "Uncial in @list.csv, Caroline in the page list"),
        ("new.tif", "not named in @list.csv"),
        ("@list.csv", "classes of 1 rows are none of the set's"),
    ]


def test_errors_pages_in_val_and_test():
    lists = {"train": [page("a.tif")], "val": [page("b.tif")], "test": [page("B.tif")]}
    with pytest.raises(ValueError, match="CLaMM16: the lists of val and test name the same pages"):
        drop_doubled(lists, CLAMM16)


def real(data: DataSet) -> dict[str, list[Listed]]:
    return {part.split: read_list(next(MIRROR.rglob(part.list)), part, data) for part in data.parts}


@needs_real_lists
def test_oracle_real_lists_are_as_long_as_published():
    sizes = {
        data.name: {split: len(pages) for split, pages in real(data).items()}
        for data in SOURCES.sets.values()
    }
    assert sizes == {
        "ICDAR17-WI": {"train": 394 * 3, "test": 720 * 5},
        "CLaMM16": {"train": 1796, "val": 204, "test": 1000},
        "CLaMM17": {"train": 3179, "val": 361, "test": 2000},
    }


@needs_real_lists
def test_oracle_real_lists_pass_the_checksums(tmp_path):
    downloads = Downloads(SOURCES, tmp_path, MIRROR, tmp_path / "checksums.yaml")
    assert len(downloads.obtain(SOURCES.lists)) == 8
    assert list(tmp_path.iterdir()) == []


@needs_real_lists
def test_oracle_real_defects():
    first, second = real(CLAMM16), real(CLAMM17)
    kept, found = drop_doubled(second, CLAMM17)
    assert [row.file for row in found] == [archives.DOUBLED]
    assert [len(pages) for pages in kept.values()] == [3178, 361, 2000]
    assert drop_doubled(first, CLAMM16) == (first, [])
    assert drop_doubled(real(WRITERS), WRITERS)[1] == []
    names = [page.name for pages in first.values() for page in pages]
    assert sum(name.startswith("IRHT_p_") for name in names) == 22
    assert archives.RIGHT in [page.name for page in second["test"]]
    assert archives.MISNAMED not in [page.name for page in second["test"]]


@needs_real_lists
def test_oracle_real_overlap():
    shared = overlaps((CLAMM16, real(CLAMM16)), (CLAMM17, real(CLAMM17)))
    files = {(row.file.lower(), row.first.removeprefix("CLaMM16 ")) for row in shared}
    assert Counter(split == "test" for _, split in files) == {True: 782, False: 1770}
    assert not [row for row in shared if row.second == "CLaMM17 test"]


@needs_real_lists
def test_oracle_forty_validation_writers():
    settings = load_params(ROOT / "params.yaml").profiles.paper.acquire
    assert isinstance(settings, AcquirePublished)
    rows = [Row(p.name, p.label, "train", p.name) for p in real(WRITERS)["train"]]
    rng = np.random.default_rng((settings.seed, 0))
    split = hold_out_writers(Path("list"), rows, settings.validation_fraction, rng)
    assert len({row.label for row in split if row.split == "val"}) == 40
    assert len({row.label for row in split if row.split == "train"}) == 354


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> tuple[Path, archives.Made]:
    folder = tmp_path_factory.mktemp("site")
    return folder, archives.make(folder)


class Mirrored:
    """Generated archives in a mirror, for one test to spoil."""

    def __init__(self, folder: Path, made: archives.Made, target: Path) -> None:
        content = yaml.safe_load((ROOT / "data" / "sources.yaml").read_text(encoding="utf-8"))
        content = archives.sources_for(content, folder, "http://127.0.0.1:1", made)
        for file in content["files"].values():
            file["bytes"] = file["checksum"] = None
        content["origins"]["icdar17-wi"]["record"] = None
        self.sources = Sources.model_validate(content)
        self.folder, self.target = folder, target
        (target / "acquire").mkdir(parents=True)

    def take(self, *, seed: int = 0, incomplete: Any = "leave-out") -> dict[Any, list[Page]]:
        settings = AcquirePublished(
            source="published", seed=seed, validation_fraction=0.1015, incomplete=incomplete
        )
        downloads = Downloads(
            self.sources, self.target / "downloads", self.folder, self.target / "checksums.yaml"
        )
        unpack._opened.cache_clear()
        tasks: tuple[Any, ...] = ("writers", "scripts_a", "scripts_b")
        return take_published(
            settings, self.target / "acquire", downloads, tasks=tasks, key="acquire"
        )

    def differences(self) -> list[dict[str, str]]:
        with open(self.target / "acquire" / "differences.csv", encoding="utf-8") as lines:
            return list(csv.DictReader(lines))


@pytest.fixture
def mirrored(site, tmp_path, monkeypatch) -> Mirrored:
    # In this process, which is faster for few pages; the rehearsal has several.
    monkeypatch.setattr(published, "_processors", lambda: 1)
    shutil.copytree(site[0], tmp_path / "mirror")
    return Mirrored(tmp_path / "mirror", site[1], tmp_path / "data")


def held_out(pages: list[Page]) -> set[str]:
    return {page.label for page in pages if page.split == "val"}


def test_property_validation_writers_go_by_seed_and_not_by_lost_pages(mirrored):
    first = mirrored.take()["writers"]
    assert len({frozenset(held_out(mirrored.take(seed=s)["writers"])) for s in range(5)}) > 1
    lost = Path(next(page.file for page in first if page.split == "val")).name
    archive = mirrored.folder / archives.WRITER_TRAIN
    data = bytearray(archive.read_bytes())
    data[data.index(lost.encode()) + len(lost) + 20] ^= 255
    archive.write_bytes(data)
    (mirrored.target / "checksums.yaml").unlink()
    second = mirrored.take()["writers"]
    assert {page.file for page in first} - {page.file for page in second} == {
        f"pages/icdar2017-training-binary/{lost}"
    }
    assert held_out(second) == held_out(first)
    problems = {row["file"]: row["problem"] for row in mirrored.differences()}
    assert problems[Path(lost).stem].startswith("damaged in the archive")


@pytest.mark.parametrize("tone", [0, 255])
def test_a_blank_page_of_the_writers_is_lost(mirrored, tone):
    archive = mirrored.folder / archives.WRITER_TRAIN
    with zipfile.ZipFile(archive) as opened:
        content = {name: opened.read(name) for name in opened.namelist()}
    blank = next(name for name in content if name.endswith(".png"))
    content[blank] = cv2.imencode(".png", np.full((96, 120), tone, np.uint8))[1].tobytes()
    with zipfile.ZipFile(archive, "w") as opened:
        for name, data in content.items():
            opened.writestr(name, data)
    with pytest.raises(ValueError, match=rf"{Path(blank).stem}: has no ink.*incomplete to leave-o"):
        mirrored.take(incomplete="stop")
    assert Path(blank).name not in {Path(page.file).name for page in mirrored.take()["writers"]}
    problems = {row["file"]: row["problem"] for row in mirrored.differences()}
    assert problems[Path(blank).stem] == "has no ink: all of it is one tone"


def test_property_white_on_black_is_noted(mirrored, monkeypatch):
    def inverted(page: np.ndarray, *args: Any, **kwargs: Any) -> np.ndarray:
        return 255 - binarize(page, *args, **kwargs)

    monkeypatch.setattr(archives, "binarize", inverted)
    archives.make(mirrored.folder)
    assert len(mirrored.take()["writers"]) == 9 * 3 + 3 * 5 - 1
    noted = [row for row in mirrored.differences() if row["problem"].startswith("mostly black")]
    assert {row["set"] for row in noted} == {"ICDAR17-WI"}
    assert len(noted) == 9 * 3 + 3 * 5 - 1


def test_errors_all_pages_of_a_split_are_lost(mirrored):
    archive = mirrored.folder / archives.CLAMM16_TEST
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("CLaMM_task1/Thumbs.db", b"")
    with pytest.raises(ValueError, match="CLaMM16: no row has split test"):
        mirrored.take()
    problems = [row["problem"] for row in mirrored.differences()]
    assert problems.count("not in ICFHR2016_CLaMM_task1.zip") == 12 + 1


def test_errors_an_archive_that_is_not_the_published_one(mirrored):
    shutil.copyfile(
        mirrored.folder / archives.CLAMM16_TRAIN, mirrored.folder / archives.CLAMM16_TEST
    )
    with pytest.raises(ValueError, match="nothing in the folder 'CLaMM_task1'; there are: CLaMM_T"):
        mirrored.take()
    assert list((mirrored.target / "acquire").iterdir()) == []


def test_property_checksums_are_of_archives_that_proved_right(mirrored):
    right = mirrored.folder / archives.CLAMM16_TEST
    content = right.read_bytes()
    shutil.copyfile(mirrored.folder / archives.CLAMM16_TRAIN, right)
    with pytest.raises(ValueError, match="nothing in the folder"):
        mirrored.take()
    right.write_bytes(content)
    with pytest.raises(ValueError, match="missing, unreadable or blank"):
        mirrored.take(incomplete="stop")
    every = {*SOURCES.lists, *SOURCES.archives}
    # Other ones may still prove to be the right ones.
    incomplete = {archives.WRITER_TEST, archives.CLAMM16_TRAIN, archives.CLAMM17_TRAIN}
    assert read_found(mirrored.target / "checksums.yaml").keys() == every - incomplete
    mirrored.take(incomplete="leave-out")
    assert read_found(mirrored.target / "checksums.yaml").keys() == every


def test_errors_a_disk_too_small_to_unpack(mirrored, monkeypatch):
    monkeypatch.setattr(resuming, "RESERVE", 1 << 60)
    with pytest.raises(ValueError, match=r"unpacking: .* make room"):
        mirrored.take()
    assert list((mirrored.target / "acquire").iterdir()) == []

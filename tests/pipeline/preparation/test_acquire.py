import csv
import hashlib
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from dgmp.images.reading import read_gray
from pipeline import acquire, binarize
from pipeline.preparation.folder import Row, hold_out_pages, hold_out_writers
from pipeline.preparation.synthetic import CLAMM17_TEST, apportion, assign_scripts, assign_writers
from pipeline.shared.page_lists import read_pages
from pipeline.shared.settings.data import ScribePages, ScriptPages
from pipeline.shared.settings.params import Params, load_params

ROOT = Path(__file__).parents[3]
SHAPE = {
    "height": 64,
    "width": 80,
    "line_pitch": 24,
    "variation": {"scribe": 1, "letter": 1, "script": 1, "wear": 1},
}


def settings_of(profile: str, **acquire_settings) -> Params:
    """The repository's settings with others for acquire, written to the current directory."""
    settings = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    settings["profile"] = profile
    settings["profiles"][profile]["acquire"] |= acquire_settings
    settings["profiles"][profile]["workers"] = acquire_settings.pop("workers", 1)
    settings["profiles"][profile]["acquire"].pop("workers", None)
    Path("params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return load_params()


def toy_scribes(**changes) -> Params:
    scripts = SHAPE | {"balanced": True, "train": 12, "validation": 12, "test": 12}
    writers = {"train_scribes": 4, "train_pages": 2, "test_scribes": 2, "test_pages": 2}
    return settings_of(
        "scribes",
        **{"writers": SHAPE | writers, "scripts_a": scripts, "scripts_b": scripts} | changes,
    )


def digests(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("workers", [1, 2])
def test_property_scribes_do_not_depend_on_workers_or_runs(workers):
    acquire.stage(toy_scribes())
    first = digests(Path("data/scribes/acquire"))
    acquire.stage(toy_scribes(workers=workers))
    assert digests(Path("data/scribes/acquire")) == first
    assert len(first) == 4 * 2 + 2 * 2 + 2 * 36 + 3
    assert [path.name for path in Path("data/scribes").iterdir()] == ["acquire"]
    assert len(set(first.values())) == len(first)


def test_property_another_seed_changes_the_pages():
    acquire.stage(toy_scribes())
    first = digests(Path("data/scribes/acquire/pages"))
    acquire.stage(toy_scribes(seed=1))
    second = digests(Path("data/scribes/acquire/pages"))
    assert first.keys() == second.keys()
    assert not set(first.values()) & set(second.values())


def test_oracle_writer_plan_keeps_scribes_apart():
    settings = ScribePages(**SHAPE, train_scribes=72, train_pages=3, test_scribes=48, test_pages=5)
    plan = assign_writers(settings, 0.1, np.random.default_rng(0))
    pages = [page for assignment in plan for page in assignment.pages]
    labels = {page.label for page in pages}
    splits = {label: {p.split for p in pages if p.label == label} for label in labels}
    assert all(len(found) == 1 for found in splits.values())
    assert Counter(page.split for page in pages) == {"train": 195, "val": 21, "test": 240}
    assert pages[0] == ("pages/writers/s0001-1.png", "s0001", pages[0].split, "")
    for split, least, most in (("test", 4, 4), ("val", 0, 1)):
        types = Counter(a.script_type for a in plan if a.pages[0].split == split)
        assert least <= min(types.values())
        assert max(types.values()) <= most


def test_oracle_script_plans():
    sizes = {"train": 300, "validation": 34, "test": 167}
    balanced = assign_scripts(ScriptPages(**SHAPE, balanced=True, **sizes), "scripts_a")
    train = Counter(a.script_type for a in balanced if a.pages[0].split == "train")
    assert set(train.values()) == {25}
    imbalanced = assign_scripts(ScriptPages(**SHAPE, balanced=False, **sizes), "scripts_b")
    test = Counter(a.script_type for a in imbalanced if a.pages[0].split == "test")
    assert len(imbalanced) == sum(sizes.values())
    for count, page_count in zip(test.values(), CLAMM17_TEST, strict=True):
        assert count == pytest.approx(167 * page_count / 2000, abs=1)


@pytest.mark.parametrize("total", [12, 13, 40, 333, 2000])
def test_property_apportioned_shares(total):
    shares = apportion(total, CLAMM17_TEST)
    assert sum(shares) == total
    assert min(shares) >= 1


def test_errors_too_few_scribes_or_pages():
    settings = ScribePages(**SHAPE, train_scribes=3, train_pages=1, test_scribes=1, test_pages=1)
    with pytest.raises(ValueError, match=r"acquire\.writers\.train_scribes: of 3"):
        assign_writers(settings, 0.1, np.random.default_rng(0))
    few = ScriptPages(**SHAPE, balanced=True, train=12, validation=5, test=12)
    with pytest.raises(ValueError, match=r"acquire\.scripts_a\.validation: 5 pages are fewer"):
        assign_scripts(few, "scripts_a")


def rows_of(*rows: tuple[str, str, str]) -> list[dict[str, str]]:
    return [dict(zip(("file", "label", "split"), row, strict=True)) for row in rows]


GOOD = rows_of(
    *((f"images/{w}{n}.png", w, "train") for w in "abcde" for n in (1, 2)),
    *((f"images/{w}{n}.png", w, "test") for w in "xy" for n in (1, 2)),
)


def make_folder(rows: list[dict[str, str]] = GOOD, name: str = "labels.csv") -> None:
    """The folder `scans`: an image for each row that names one, and a labels csv."""
    folder = Path("scans")
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for row in GOOD:
        image = rng.integers(0, 256, (40, 50), dtype=np.uint8)
        cv2.imwrite(str(folder / row["file"]), image)
    with open(folder / name, "w", newline="", encoding="utf-8") as lines:
        table = csv.DictWriter(lines, list(rows[0]) if rows else ["file", "label", "split"])
        table.writeheader()
        table.writerows(rows)


def folder_settings(writers="labels.csv", scripts=None, group=None, **others) -> Params:
    absent = {"labels": None, "group": None}
    return settings_of(
        "folder",
        folder="scans",
        writers={"labels": writers, "group": None},
        scripts_a={"labels": scripts, "group": group},
        scripts_b=absent,
        **others,
    )


def test_smoke_folder_shared_by_two_tasks(caplog):
    caplog.set_level("INFO")
    make_folder()
    families = [row | {"label": "ab"[row["label"] in "bdy"]} for row in GOOD]
    make_folder(families, "families.csv")
    params = folder_settings(scripts="families.csv", workers=2)
    acquire.stage(params)
    acquired = params.data / "acquire"
    pages = read_pages(acquired / "writers.csv")
    assert Counter(page.split for page in pages) == {"train": 6, "val": 4, "test": 4}
    for page, row in zip(pages, GOOD, strict=True):
        assert (acquired / page.file).read_bytes() == (Path("scans") / row["file"]).read_bytes()
    assert len(list(acquired.rglob("*.png"))) == len(GOOD)
    assert read_pages(acquired / "scripts_b.csv") == []
    assert "profiles.folder.acquire.scripts_b.labels is null" in caplog.text
    scripts = read_pages(acquired / "scripts_a.csv")
    assert {page.label for page in scripts if page.split == "val"} == {"a", "b"}
    before = digests(acquired)
    acquire.stage(params)
    assert digests(acquired) == before


def test_property_val_rows_are_taken_as_they_are():
    make_folder([row | {"split": "val" if row["label"] == "c" else row["split"]} for row in GOOD])
    params = folder_settings()
    acquire.stage(params)
    pages = read_pages(params.data / "acquire" / "writers.csv")
    assert {page.label for page in pages if page.split == "val"} == {"c"}


def test_property_csv_with_byte_order_mark_and_more_columns():
    make_folder([row | {"century": "15"} for row in GOOD])
    file = Path("scans/labels.csv")
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    acquire.stage(folder_settings())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("pages_per_group", [1, 3])
def test_property_hold_out_pages_keeps_groups_whole_and_labels_on_both_sides(seed, pages_per_group):
    rng = np.random.default_rng(seed)
    rows = []
    for label, groups in (("many", 30), ("some", 8), ("two", 2), ("one", 1)):
        for group in range(groups):
            for page in range(rng.integers(1, pages_per_group + 1)):
                rows.append(Row(f"{label}{group}-{page}", label, "train", f"{label}{group}"))
    split = hold_out_pages(Path("labels.csv"), rows, 0.1, np.random.default_rng(seed))
    sides: dict[str, set[str]] = {}
    for row in split:
        sides.setdefault(row.group, set()).add(row.split)
    assert all(len(found) == 1 for found in sides.values())
    val = Counter(row.label for row in split if row.split == "val")
    train = Counter(row.label for row in split if row.split == "train")
    assert val.keys() == {"many", "some", "two"}
    assert train.keys() == {"many", "some", "two", "one"}
    assert val["many"] == pytest.approx(0.1 * (val["many"] + train["many"]), abs=1)


def test_property_hold_out_writers_takes_none_of_one_page():
    rows = [Row(f"{w}{n}", w, "train", f"{w}{n}") for w in "abcdefgh" for n in range(2)]
    rows += [Row(w, w, "train", w) for w in "ijklmnop"]
    split = hold_out_writers(Path("labels.csv"), rows, 0.3, np.random.default_rng(0))
    held_out = {row.label for row in split if row.split == "val"}
    assert len(held_out) == 5
    assert held_out < set("abcdefgh")


def changed(row: int, **cells) -> list[dict[str, str]]:
    return [r | cells if i == row else r for i, r in enumerate(GOOD)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], r"labels\.csv has no rows"),
        ([{"file": "a.png", "label": "a"}], r"no column split; it has file, label"),
        (changed(0, split="dev"), r"1 rows with an unknown split; .* images/a1\.png: dev"),
        (changed(0, file="images/gone.png"), r"naming a missing page; .*: images/gone\.png"),
        (changed(1, file="images/a1.png"), r"listing a page twice; keep one: images/a1\.png"),
        (changed(1, file="images/A1.PNG"), r"listing a page twice; keep one"),
        (changed(0, file="images/a1.png#1") + changed(1)[:1], r"listing a page twice; keep one"),
        (changed(0, file="../secret.png"), r"outside scans; .*: \.\./secret\.png"),
        (changed(0, label=""), r"with an empty cell; .*: line 2"),
        (changed(0, label="x"), r"1 times one label \(writer\) is in several splits: x"),
        ([r for r in GOOD if r["label"] in "axy"], r"one label only, at least two"),
        ([r for r in GOOD if r["label"] in "abcxy"], r"3 training writers, .* too few"),
        ([r for r in GOOD if r["split"] == "train"], r"no row has split test"),
        ([r for r in GOOD if not r["file"].endswith(("x2.png", "y2.png"))], "two pages, so"),
    ],
)
def test_errors_labels(rows, message):
    make_folder(rows)
    with pytest.raises(ValueError, match=message):
        acquire.stage(folder_settings())
    assert not Path("data/folder/acquire").exists()
    assert list(Path("data/folder").iterdir()) == []


def test_property_pages_of_a_tiff_are_pages_of_their_own():
    make_folder()
    rng = np.random.default_rng(1)
    scans = [rng.integers(0, 256, (40, 50), dtype=np.uint8) for _ in range(2)]
    cv2.imwritemulti("scans/images/A.tif", scans)
    rows = changed(0, file=r"images\\a.TIF#1")
    rows[1] = rows[1] | {"file": "images/A.tif#2"}
    make_folder(rows)
    params = folder_settings()
    acquire.stage(params)
    acquired = params.data / "acquire"
    pages = read_pages(acquired / "writers.csv")
    assert [page.file for page in pages[:2]] == ["pages/images/A.tif#1", "pages/images/A.tif#2"]
    for page, scan in zip(pages, scans, strict=False):
        np.testing.assert_array_equal(read_gray(acquired / page.file), scan)
    binarize.stage(params)
    assert (params.data / "binarize" / "pages" / "images" / "A.tif#2.png").is_file()
    make_folder([row | {"file": row["file"].replace("#1", "")} for row in rows])
    with pytest.raises(ValueError, match=r"1 rows listing a page twice; keep one: images/A\.tif#2"):
        acquire.stage(params)
    make_folder(changed(0, file="images/A.tif"))
    with pytest.raises(ValueError, match=r"A\.tif has 2 pages: name each in a row of its own as"):
        acquire.stage(params)


def test_errors_a_name_of_two_pages():
    make_folder(changed(0, file="images/A1.png"))
    for name in ("a1.PNG", "A1.Png"):
        Path("scans/images", name).write_bytes(Path("scans/images/a1.png").read_bytes())
    with pytest.raises(
        ValueError, match=r"could mean several pages; .*A1\.png: images/A1\.Png or "
    ):
        acquire.stage(folder_settings())


def test_errors_missing_pages_are_counted_and_five_named():
    make_folder([row | {"file": row["file"].replace("images", "gone")} for row in GOOD])
    with pytest.raises(ValueError, match=r"14 rows naming .*: (gone/\w+\.png, ){5}…"):
        acquire.stage(folder_settings())


def test_errors_script_labels_and_groups():
    make_folder()
    with pytest.raises(ValueError, match="2 labels have val or test pages but none to train on"):
        acquire.stage(folder_settings(scripts="labels.csv"))
    make_folder([row | {"label": "ab"[i % 2], "group": "g"} for i, row in enumerate(GOOD)], "g.csv")
    with pytest.raises(ValueError, match="one group is in several splits: g"):
        acquire.stage(folder_settings(scripts="g.csv", group="group"))


def test_property_lists_keep_the_group_column():
    make_folder([row | {"label": "ab"[i % 2], "ms": row["label"]} for i, row in enumerate(GOOD)])
    params = folder_settings(scripts="labels.csv", writers=None, group="ms")
    acquire.stage(params)
    pages = read_pages(params.data / "acquire" / "scripts_a.csv")
    assert [page.group for page in pages] == [row["label"] for row in GOOD]


def test_property_without_the_group_column_pages_are_unrelated(caplog):
    make_folder([row | {"label": "ab"[i % 2]} for i, row in enumerate(GOOD)], "g.csv")
    make_folder()
    with caplog.at_level("INFO"):
        params = folder_settings(scripts="g.csv", group="manuscript")
        acquire.stage(params)
    assert {page.group for page in read_pages(params.data / "acquire" / "scripts_a.csv")} == {""}
    assert "g.csv has no column manuscript: its pages are taken to be unrelated" in caplog.text


def test_errors_absent_folder_and_csv():
    with pytest.raises(ValueError, match=r"scans is missing: put .* profiles\.folder\.acquire"):
        acquire.stage(folder_settings())
    make_folder()
    with pytest.raises(ValueError, match=r"scans/other\.csv is missing: write it with"):
        acquire.stage(folder_settings(writers="other.csv"))
    Path("scans/labels.csv").write_bytes("file,label,split\nä,b,c\n".encode("latin-1"))
    with pytest.raises(ValueError, match="not a csv in UTF-8"):
        acquire.stage(folder_settings())


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_unreadable_page_leaves_the_former_output(workers):
    make_folder()
    acquire.stage(folder_settings())
    before = digests(Path("data"))
    Path("scans/images/c1.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"scans/images/c1\.png is not a readable image"):
        acquire.stage(folder_settings(workers=workers))
    assert digests(Path("data")) == before


def test_errors_a_test_writer_of_one_page_is_a_warning(caplog):
    make_folder([row for row in GOOD if row["file"] != "images/x2.png"])
    acquire.stage(folder_settings())
    assert "1 test writers have one page only, which is no query: x" in caplog.text

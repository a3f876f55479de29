"""The benchmark's own lists, and what is said of wrong ones."""

import csv
from collections import Counter, defaultdict
from pathlib import Path

import cv2
import pytest

from dgmp.images.reading import read_gray
from pipeline.benchmark.listing import load_benchmark, read_listed
from pipeline.benchmark.rebuilding import pixel_sum
from tests.pipeline.benchmark import made_up

ROOT = Path(__file__).parents[3]
SHARED = ROOT.parent / "shared" / "data"
LISTS = ("manuscripts", "scripts")


@pytest.fixture(scope="module")
def benchmark():
    return load_benchmark(ROOT / "data" / "benchmark.yaml")


@pytest.fixture(scope="module")
def listed(benchmark):
    return {
        name: read_listed(ROOT / "data" / "benchmark" / f"{name}.csv", benchmark, ["label"])
        for name in LISTS
    }


def test_manuscripts_are_on_one_side(benchmark, listed):
    for name, pages in listed.items():
        sides = defaultdict(set)
        for page in pages:
            sides[page.cell("manuscript")].add(page.split)
        assert all(len(found) == 1 for found in sides.values()), name
    kept = [page for page in listed["manuscripts"] if page.cell("label") not in benchmark.left_out]
    assert Counter(page.split for page in kept) == {"train": 470, "test": 307}
    labels = {split: {page.cell("label") for page in kept if page.split == split}
              for split in ("train", "test")}  # fmt: skip
    assert {split: len(found) for split, found in labels.items()} == {"train": 102, "test": 66}
    assert all(1 < count <= 6 for count in Counter(page.cell("label") for page in kept).values())


def test_no_image_is_on_both_sides_of_a_list(listed):
    for pages in listed.values():
        assert len({page.image_blob for page in pages}) == len(pages)


def test_every_repository_has_pages_and_says_its_licence(benchmark, listed):
    used = {page.repository for pages in listed.values() for page in pages}
    assert used == set(benchmark.repositories)
    assert all(repository.licence for repository in benchmark.repositories.values())
    url = benchmark.catalogue().files[benchmark.archive_name("HTRogene/latin")].urls[0]
    assert url.startswith("https://github.com/HTRogene/latin/archive/726f7bed")


@pytest.mark.parametrize(
    ("name", "listing", "column"),
    [
        ("manuscripts", "manuscripts/labels.csv", "label"),
        ("manuscripts", "manuscripts/centuries.csv", "centuries"),
        ("scripts", "scripts/labels.csv", "label"),
    ],
)
def test_real_lists_are_the_same(listed, name, listing, column):
    if not (SHARED / listing).is_file():
        pytest.skip(f"no {listing} in {SHARED}")
    with open(SHARED / listing, encoding="utf-8", newline="") as lines:
        wanted = [
            (f"{name}/{row['file']}", row["label"], row["split"], row["manuscript"])
            for row in csv.DictReader(lines)
        ]
    found = [
        (page.file, page.cell(column), page.split, page.cell("manuscript"))
        for page in listed[name]
        if page.cell(column)
    ]
    assert found == wanted


@pytest.mark.parametrize("name", LISTS)
def test_real_pages_have_the_listed_pixels(listed, name):
    if not SHARED.is_dir():
        pytest.skip(f"no real pages in {SHARED}")
    for page in listed[name][::60]:
        assert pixel_sum(read_gray(SHARED / page.file)) == page.pixels, page.file


def test_a_text_block_is_given_with_its_scale(listed):
    """The listed crop and scale give a page of the size that the file has."""
    if not SHARED.is_dir():
        pytest.skip(f"no real pages in {SHARED}")
    for page in listed["manuscripts"][::60]:
        block = page.block
        height, width = cv2.imread(str(SHARED / page.file), cv2.IMREAD_GRAYSCALE).shape
        assert height == min(2400, round((block.bottom - block.top) * block.scale))
        assert width == min(2000, round((block.right - block.left) * block.scale))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("image_blob,", "blob,", "has no column image_blob: take .* back from git"),
        ("one/words", "one/wards", "one/wards is not one of the repositories"),
        ("m/1.png", "m/0.png", "m/0.png is listed twice"),
        ("m/1.png", "/m/1.png", r"line 3: file: .*got '/m/1.png'"),
        (",train,", ",training,", r"line 2: split: .*got 'training'"),
    ],
)
def test_errors_of_a_list(tmp_path, old, new, message):
    made_up.make(tmp_path, "http://127.0.0.1")
    benchmark = load_benchmark(tmp_path / "data" / "benchmark.yaml")
    file = tmp_path / "data" / "benchmark" / "manuscripts.csv"
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_listed(file, benchmark, ["label"])


def test_errors_of_the_benchmark(tmp_path):
    file = tmp_path / "data" / "benchmark.yaml"
    with pytest.raises(ValueError, match=r"benchmark\.yaml is missing: run from the top"):
        load_benchmark(file)
    made_up.make(tmp_path, "http://127.0.0.1")
    made_up.edit_yaml(tmp_path, lambda content: content.update(extra=1))
    with pytest.raises(
        ValueError, match=r"extra: unknown key; allowed here: archive, repositories"
    ):
        load_benchmark(file)
    file.write_text("a: [", encoding="utf-8")
    with pytest.raises(ValueError, match="is not valid YAML"):
        load_benchmark(file)

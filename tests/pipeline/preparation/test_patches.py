import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from dgmp.images.pages import PageStore, limit_side
from dgmp.images.patches import PatchStore
from dgmp.images.reading import read_gray, write_bilevel
from pipeline import acquire, binarize, patches
from pipeline.shared.page_lists import SPLITS, Page, write_pages
from pipeline.shared.settings.params import Params, load_params
from tests.benchmarks.page_shrinking import aligned_views, difference, shifted
from tests.benchmarks.written_pages import written_page

ROOT = Path(__file__).parents[3]
CUT = {"size": 40, "stride": 24, "sigma": 1, "threshold": 60}


@pytest.fixture
def params(tmp_path, monkeypatch) -> Params:
    """Toy settings in an empty directory: 8 + 4 writer pages, 36 pages for each script task."""
    monkeypatch.chdir(tmp_path)
    settings = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    settings["profile"] = "scribes"
    profile = settings["profiles"]["scribes"]
    variation = {"scribe": 1, "letter": 1, "script": 1, "wear": 1}
    shape = {"height": 96, "width": 120, "line_pitch": 24, "variation": variation}
    writers = {"train_scribes": 4, "train_pages": 2, "test_scribes": 2, "test_pages": 2}
    scripts = shape | {"balanced": True, "train": 12, "validation": 12, "test": 12}
    profile["acquire"] |= {"writers": shape | writers, "scripts_a": scripts, "scripts_b": scripts}
    profile["patches"] = CUT
    profile["scripts_a"]["crop"] = 24
    profile["workers"] = 1
    Path("params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return load_params()


def hand_over(params: Params, pages: dict[str, np.ndarray]) -> None:
    """Binarized pages <split>-<name>, and empty script tasks, as the earlier stages leave them."""
    folder = params.data / "binarize"
    folder.mkdir(parents=True)
    (params.data / "acquire").mkdir()
    for task in ("scripts_a", "scripts_b"):
        write_pages(params.data / "acquire" / f"{task}.csv", [])
    for name, page in pages.items():
        write_bilevel(folder / f"{name}.png", page)
    rows = [Page(f"{name}.png", "w", name.split("-")[0]) for name in pages]
    write_pages(folder / "pages.csv", rows)


def lines(height: int, width: int) -> np.ndarray:
    page = np.full((height, width), 255, np.uint8)
    page[5:-5:10, 5:-5] = 0
    return page


def test_smoke_acquire_binarize_patches(params):
    for stage in (acquire, binarize, patches):
        stage.stage(params)
    folder = params.data / "patches"
    summary = json.loads((folder / "writers" / "summary.json").read_text())
    for split, pages in (("train", 4), ("val", 4), ("test", 4)):
        store = PatchStore(folder / "writers" / f"{split}.npy", folder / "writers" / f"{split}.csv")
        assert summary[split]["pages"] == len(set(store.pages)) == pages
        assert summary[split]["patches"] == len(store)
        assert store.edges.min() > 60 or summary[split]["fallbacks"]["below_threshold"]
        for index, ink in enumerate(store.read(slice(None))):
            y, x = store.corners[index]
            page = read_gray(params.data / "binarize" / store.pages[index])
            np.testing.assert_array_equal(page[y : y + 40, x : x + 40] == 0, ink)
    train = PatchStore(folder / "writers" / "train.npy", folder / "writers" / "train.csv")
    paper = 1 - train.read(slice(None)).astype(float)
    assert summary["mean"] == pytest.approx(paper.mean())
    assert summary["sd"] == pytest.approx(paper.std())


def test_oracle_script_pages_are_shrunk_to_the_longest_useful_side(params):
    for stage in (acquire, binarize, patches):
        stage.stage(params)
    for task, height, width in (("scripts_a", 85, 106), ("scripts_b", 96, 120)):
        folder = params.data / "patches" / task
        summary = json.loads((folder / "summary.json").read_text())
        for split in SPLITS:
            store = PageStore(folder / f"{split}.raw", folder / f"{split}.csv")
            assert len(store) == summary[split]["pages"] == 12
            assert store[0].shape == (height, width)
        train = PageStore(folder / "train.raw", folder / "train.csv")
        pixels = np.stack([train[i] for i in range(12)]) / 255
        assert summary["mean"] == pytest.approx(pixels.mean())
        assert summary["sd"] == pytest.approx(pixels.std())
    np.testing.assert_array_equal(train[0], read_gray(params.data / "acquire" / train.pages[0]))


@pytest.mark.parametrize(("negative", "turned"), [("auto", 1), ("always", 2), ("never", 0)])
def test_oracle_script_pages_that_are_negatives(tmp_path, caplog, negative, turned):
    caplog.set_level("INFO")
    page = written_page(np.random.default_rng(0), 200, 200)
    (tmp_path / "packed").mkdir()
    for name, image in (("a.png", page), ("b.png", 255 - page)):
        cv2.imwrite(str(tmp_path / name), image)
    pages = [Page(name, "x", "train") for name in ("a.png", "b.png")]
    folder = tmp_path / "packed"
    patches.pack_pages(tmp_path, pages, folder, side=500, negative=negative, workers=1)
    store = PageStore(folder / "train.raw", folder / "train.csv")
    np.testing.assert_array_equal(store[0], 255 - page if turned == 2 else page)
    np.testing.assert_array_equal(store[1], page if turned else 255 - page)
    assert (f"{turned} negatives turned positive" in caplog.text) == bool(turned)


@pytest.mark.parametrize(("share", "bound"), [((0.08, 0.1), 0.15), ((0.5, 1.0), 0.04)])
def test_oracle_views_of_shrunk_pages_are_those_of_whole_pages(share, bound):
    """At twice the useful side; in parts of what a shift of the view by one pixel changes."""
    schedule = load_params(ROOT / "params.yaml").profiles.paper.scripts_a
    side = 2 * patches.longest_useful_side(schedule)
    rng = np.random.default_rng(0)
    page = cv2.GaussianBlur(written_page(rng, side, side), (0, 0), 1.5)
    half = limit_side(page, patches.longest_useful_side(schedule))
    for seed in range(3):
        whole, shrunk = aligned_views(page, half, schedule.crop, share, [seed])
        assert whole.shape == shrunk.shape == (384, 384)
        assert difference(whole, shrunk) < bound * shifted(whole)


def test_property_workers_do_not_change_the_files(params):
    pages = {f"{split}-{n}": lines(60 + n, 80) for n in range(3) for split in SPLITS}
    hand_over(params, pages)
    files = [f"{split}.{suffix}" for split in SPLITS for suffix in ("npy", "csv")]
    outputs = []
    for workers in (1, 2):
        profile = params.active.model_copy(update={"workers": workers})
        profiles = params.profiles.model_copy(update={"scribes": profile})
        patches.stage(params.model_copy(update={"profiles": profiles}))
        folder = params.data / "patches" / "writers"
        outputs.append([(folder / file).read_bytes() for file in files])
    assert outputs[0] == outputs[1]


def test_oracle_fallbacks_are_counted(params, caplog):
    caplog.set_level("INFO")
    faint = np.full((60, 60), 255, np.uint8)
    faint[30, 30] = 0
    hand_over(params, {"train-a": lines(60, 80), "train-b": lines(20, 80), "train-c": faint})
    patches.stage(params)
    summary = json.loads((params.data / "patches/writers/summary.json").read_text())
    assert summary["train"]["fallbacks"] == {"padded": 1, "below_threshold": 1}
    assert summary["test"] == {
        "pages": 0, "patches": 0, "fallbacks": {"padded": 0, "below_threshold": 0},
    }  # fmt: skip
    assert "fallbacks: 1 pages padded, 1 pages below the threshold" in caplog.text


def test_shapes_no_pages_at_all(params):
    hand_over(params, {})
    patches.stage(params)
    for task in ("writers", "scripts_a"):
        summary = json.loads((params.data / "patches" / task / "summary.json").read_text())
        assert summary["mean"] is None
    folder = params.data / "patches"
    assert len(PatchStore(folder / "writers/val.npy", folder / "writers/val.csv")) == 0
    assert len(PageStore(folder / "scripts_b/val.raw", folder / "scripts_b/val.csv")) == 0


def test_errors_name_the_page(params):
    hand_over(params, {"val-a": lines(60, 80), "val-blank": np.full((60, 60), 255, np.uint8)})
    with pytest.raises(
        ValueError, match=r"val-blank\.png: .* has no ink: run the stage binarize again"
    ):
        patches.stage(params)
    gray = np.arange(3600, dtype=np.uint8).reshape(60, 60)
    cv2.imwrite(str(params.data / "binarize" / "val-blank.png"), gray)
    with pytest.raises(ValueError, match=r"val-blank\.png is not binary: run the stage binarize"):
        patches.stage(params)
    assert not (params.data / "patches").exists()


def test_oracle_grids_of_training_and_test(params):
    pages = {f"{split}-{n}": lines(112, 160) for n in range(2) for split in SPLITS}
    hand_over(params, pages)
    cut = {"test_stride": 40, "margin_right": 48, "end": "exclusive", "threshold": 0}
    settings = params.active.patches.model_copy(update=cut)
    profile = params.active.model_copy(update={"patches": settings})
    profiles = params.profiles.model_copy(update={"scribes": profile})
    patches.stage(params.model_copy(update={"profiles": profiles}))
    grids = {
        "train": [(y, x) for y in range(0, 72, 24) for x in range(0, 72, 24)],
        "val": [(y, x) for y in range(0, 72, 40) for x in range(0, 120, 40)],
    }
    grids["test"] = grids["val"]
    folder = params.data / "patches" / "writers"
    for split, grid in grids.items():
        store = PatchStore(folder / f"{split}.npy", folder / f"{split}.csv")
        first = [tuple(corner) for corner in store.corners[store.pages == f"{split}-0.png"]]
        assert first == grid
        assert len(store) == 2 * len(grid)


def test_oracle_validation_pages_are_trained_on_too(params):
    pages = {f"{split}-{n}": lines(100, 133) for n in range(2) for split in SPLITS}
    hand_over(params, pages)
    sizes = {}
    for together in (False, True):
        cut = {"test_stride": 40, "train_on_validation": together}
        settings = params.active.patches.model_copy(update=cut)
        profile = params.active.model_copy(update={"patches": settings})
        profiles = params.profiles.model_copy(update={"scribes": profile})
        patches.stage(params.model_copy(update={"profiles": profiles}))
        folder = params.data / "patches" / "writers"
        for split in SPLITS:
            store = PatchStore(folder / f"{split}.npy", folder / f"{split}.csv")
            sizes[together, split] = len(store)
        train = PatchStore(folder / "train.npy", folder / "train.csv")
        names = ["train-0.png", "train-1.png", *(["val-0.png", "val-1.png"] if together else [])]
        assert list(dict.fromkeys(train.pages)) == names
    assert sizes[True, "train"] == 2 * sizes[False, "train"]
    # In training they lie on the grid of training, in validation on that of the test.
    assert sizes[True, "val"] == sizes[False, "val"] < sizes[False, "train"]

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from dgmp.images.reading import is_binary, read_gray
from pipeline import binarize
from pipeline.shared.page_lists import Page, read_pages, write_pages
from pipeline.shared.settings.params import Params, load_params

ROOT = Path(__file__).parents[3]


@pytest.fixture
def acquired(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data" / "manuscripts" / "acquire"
    (folder / "pages").mkdir(parents=True)
    return folder


def settings_of(**changes) -> Params:
    settings = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    settings["profile"] = "manuscripts"
    settings["profiles"]["manuscripts"]["binarize"] |= changes
    settings["profiles"]["manuscripts"]["workers"] = 1
    Path("params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return load_params()


def written(seed: int) -> np.ndarray:
    page = np.random.default_rng(seed).normal(200, 5, (80, 100))
    page[20:60:10, 10:90] = 40
    return page.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("method", ["otsu", "sauvola"])
@pytest.mark.parametrize("scale", [1, 0.5])
def test_oracle_pages_become_bilevel_png(acquired, method, scale):
    cv2.imwrite(str(acquired / "pages/a.png"), written(0))
    cv2.imwrite(str(acquired / "pages/a.jpg"), written(0))
    pages = [Page("pages/a.png", "w", "train"), Page("pages/a.jpg", "w", "test")]
    write_pages(acquired / "writers.csv", pages)
    params = settings_of(method=method, scale=scale, window=25)
    binarize.stage(params)
    folder = params.data / "binarize"
    out = read_pages(folder / "pages.csv")
    assert out == [Page("pages/a.png", "w", "train"), Page("pages/a.jpg.png", "w", "test")]
    for page in out:
        image = read_gray(folder / page.file)
        assert is_binary(image)
        assert image.shape == (80 * scale, 100 * scale)
        assert 0.02 < (image == 0).mean() < 0.2


@pytest.mark.parametrize(
    ("negative", "turned", "count"),
    [("auto", (0, 1, 1), 2), ("always", (1, 1, 1), 3), ("never", (0, 0, 0), 0)],
)
def test_oracle_negatives_are_turned_and_counted(acquired, caplog, negative, turned, count):
    caplog.set_level("INFO")
    page = np.tile(written(0), (4, 4))
    binary = np.where(page > 120, np.uint8(255), np.uint8(0))
    given = {"a.png": page, "b.png": ~page, "c.png": ~binary}
    for name, image in given.items():
        cv2.imwrite(str(acquired / "pages" / name), image)
    write_pages(acquired / "writers.csv", [Page(f"pages/{name}", "w", "val") for name in given])
    params = settings_of(negative=negative, scale=1, method="otsu")
    binarize.stage(params)
    for (name, image), turn in zip(given.items(), turned, strict=True):
        wanted = binarize.binarize(~image if turn else image, "otsu")
        np.testing.assert_array_equal(read_gray(params.data / "binarize/pages" / name), wanted)
    assert f"3 pages by otsu, {count} negatives turned positive" in caplog.text


def test_shapes_no_writer_task_gives_an_empty_list(acquired):
    write_pages(acquired / "writers.csv", [])
    params = settings_of()
    binarize.stage(params)
    assert read_pages(params.data / "binarize" / "pages.csv") == []


def test_errors_name_the_page(acquired):
    with pytest.raises(ValueError, match=r"writers\.csv is missing: run the stage acquire"):
        binarize.stage(settings_of())
    cv2.imwrite(str(acquired / "pages/blank.png"), np.full((50, 50), 220, np.uint8))
    write_pages(acquired / "writers.csv", [Page("pages/blank.png", "w", "val")])
    with pytest.raises(ValueError, match=r"blank\.png: binarization by sauvola finds no ink"):
        binarize.stage(settings_of())
    (acquired / "pages/blank.png").unlink()
    with pytest.raises(ValueError, match=r"blank\.png is missing"):
        binarize.stage(settings_of())
    assert not (acquired.parent / "binarize").exists()

"""Each kind of system on a few made-up pages."""

import json

import cv2
import numpy as np
import pytest

from dgmp.encoding import PowerNorm, cosine_distances, load
from dgmp.encoding.handcrafted import FEATURES, distance_matrix
from dgmp.metrics import evaluate_ranking
from dgmp.scribes import draw_scribe, write_page
from pipeline import describe, encode
from pipeline.evaluation.systems import measure_systems
from pipeline.shared.page_lists import Page, write_pages
from pipeline.shared.settings.systems import STEPS
from pipeline.systems.local_store import LocalStore

SPLITS = ["train", "train", "val", "test", "test"]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Pages of five scribes, grey and binary; the last page of test is blank."""
    folder, rng = tmp_path_factory.mktemp("written"), np.random.default_rng(0)
    pages = []
    for scribe, split in enumerate(SPLITS):
        hand = draw_scribe("Caroline", rng)
        for number in range(2):
            page = write_page(hand, rng, height=160, width=200, line_pitch=40)
            if (scribe, number) == (4, 1):
                page = np.full_like(page, 255)
            cv2.imwrite(str(folder / f"{scribe}-{number}.png"), page)
            cv2.imwrite(str(folder / f"b{scribe}-{number}.png"), np.where(page < 128, 0, 255))
            pages.append(Page(f"{scribe}-{number}.png", f"w{scribe}", split))
    return folder, pages


@pytest.fixture
def acquired(project, written):
    folder, pages = written
    for stage, prefix in (("acquire", ""), ("binarize", "b")):
        (project.data / stage).mkdir(exist_ok=True)
        for page in pages:
            (project.data / stage / page.file).write_bytes(
                (folder / f"{prefix}{page.file}").read_bytes()
            )
    write_pages(project.data / "acquire" / "writers.csv", pages)
    write_pages(project.data / "binarize" / "pages.csv", pages)
    for task in ("scripts_a", "scripts_b"):
        named = [page._replace(label=f"s{i % 2}") for i, page in enumerate(pages[:-1])]
        write_pages(project.data / "acquire" / f"{task}.csv", named)
    project.set("profiles.scribes.workers", 1)
    return project


def encoded(project, monkeypatch, name):
    monkeypatch.setattr("sys.argv", ["encode", name])
    encode.main()
    return project.data / "encode" / name


def test_local_descriptors(acquired, monkeypatch):
    system = acquired.params.systems["sift-gmp"].model_dump(by_alias=True)
    small = {"centres": 4, "seeds": [3, 5], "least": 10, "script_c": [1, 10]}
    acquired.set("systems.sift-gmp", system | small)
    describe.main()
    folder = encoded(acquired, monkeypatch, "sift-gmp")
    store = LocalStore(acquired.data / "describe" / "writers", ("test",))
    rows = PowerNorm(0.5).transform(load(folder / "encoder").transform(store))
    with np.load(folder / "seed3.npz") as found:
        assert found["files"].tolist() == ["3-0.png", "3-1.png", "4-0.png", "4-1.png"]
        assert found["without_information"].tolist() == [False, False, False, True]
        np.testing.assert_allclose(found["raw"], cosine_distances(rows), atol=1e-6)
        assert {*STEPS, "files", "labels", "without_information"} == set(found)
    with np.load(folder / "scripts_b-seed5.npz") as found:
        assert found["logits"].shape == (3, 2)
        assert found["classes"].tolist() == ["s0", "s1"]
    assert [one["seed"] for one in json.loads((folder / "seconds.json").read_text())] == [3, 5]
    # The blank page is a query without a hit, and nobody's neighbour.
    scores, pages = measure_systems(acquired.params)
    own = scores[scores["cell"] == "sift-gmp/raw"]
    assert own["without_information"].tolist() == [1, 1]
    blank = pages[(pages["cell"] == "sift-gmp/raw") & (pages["file"] == "4-1.png")]
    assert (blank["average_precision"] == 0).all()
    assert (blank["top1"] == 0).all()


@pytest.mark.parametrize("name", ["hinge", "background", "page-statistics"])
def test_handcrafted_features(acquired, monkeypatch, name):
    folder = encoded(acquired, monkeypatch, name)
    with np.load(folder / "seed0.npz") as found:
        assert not np.isnan(np.stack([found[step] for step in STEPS])).any()
        raw, labels = found["raw"], found["labels"]
    assert 0 <= evaluate_ranking(raw, labels).mean_average_precision <= 100
    if name == "hinge":
        files = [acquired.data / "binarize" / f"{one}.png" for one in ("3-0", "3-1", "4-0", "4-1")]
        rows = [FEATURES[name].function(cv2.imread(str(file), 0)) for file in files]
        np.testing.assert_allclose(raw, distance_matrix(np.stack(rows), "chi-squared"), rtol=1e-5)


def test_a_system_that_is_not_there(acquired, monkeypatch):
    with pytest.raises(ValueError, match="system 'sift' is not one of systems: sift-vlad"):
        encoded(acquired, monkeypatch, "sift")

import numpy as np
import pandas as pd
import pytest

from pipeline.shared.page_lists import Page
from pipeline.shared.settings.params import ParamsError
from pipeline.systems.local_store import write_store
from pipeline.tools import choose_constants
from pipeline.tools.choose_constants import halve, variants

WRITERS, PAGES = 12, 3


@pytest.fixture
def described(project, monkeypatch):
    """Pages of twelve writers, and one of test that would break everything that reads it."""
    rng = np.random.default_rng(0)
    pages, found = [], []
    for writer in range(WRITERS):
        own = rng.normal(size=(4, 8))
        for number in range(PAGES):
            pages.append(Page(f"{writer}-{number}.png", f"w{writer}", "train" if number else "val"))
            found.append(own[rng.integers(4, size=80)] + 2.5 * rng.normal(size=(80, 8)))
    pages.append(Page("test.png", "w99", "test"))
    found.append(np.full((80, 8), np.nan))
    folder = project.data / "describe" / "writers"
    folder.mkdir(parents=True)
    write_store(folder, pages, [{"vectors": one.astype(np.float32)} for one in found])
    system = project.params.systems["sift-gmp"].model_dump(by_alias=True)
    small = {"centres": 4, "dimensions": None, "seeds": [0, 1], "sample": 900}
    project.set("systems.sift-gmp", system | small)
    return project


def tried(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["choose_constants", *arguments])
    choose_constants.main()


def test_smoke(described, monkeypatch):
    tried(monkeypatch, "sift-gmp", "lambda=0.1,100", "chain.rerank.k=1")
    rows = pd.read_csv(described.reports / "constants" / "sift-gmp.csv", keep_default_na=False)
    assert rows["setting"].tolist() == ["", "lambda", "lambda", "chain.rerank.k"]
    assert rows["value"].tolist() == ["", "0.1", "100", "1"]
    scores = rows[["raw", "whitened", "esvm", "reranked"]].astype(float)
    assert scores.to_numpy().min() > 25  # of six writers by chance: 15
    # A setting of the re-ranking leaves the steps before it alone.
    assert (scores.iloc[0, :3] == scores.iloc[3, :3]).all()
    assert scores["raw"].nunique() > 1


def test_pages_of_a_writer_are_in_the_same_half():
    labels = np.repeat([f"w{i}" for i in range(7)], 3)
    first = halve(labels, np.random.default_rng(0))
    assert all(len(set(first[labels == one])) == 1 for one in np.unique(labels))
    assert first.sum() == 9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cohinge"], "system 'cohinge' is not one of local descriptors: sift-vlad, sift-gmp"),
        ([], "system '' is not one"),
        (["sift-gmp", "lambda"], "'lambda' is not of the form key=value,value"),
        (["sift-gmp", "gamma=1"], "'gamma' is not a setting of the system or the chain"),
        (["sift-gmp", "chain.rerank.g=1"], "'chain.rerank.g' is not a setting"),
    ],
)
def test_what_cannot_be_tried(described, monkeypatch, arguments, message):
    with pytest.raises(ParamsError, match=message):
        tried(monkeypatch, *arguments)


def test_the_settings_of_params_come_first(project):
    system, chain = project.params.systems["sift-gmp"], project.params.chain
    first, second = variants(system, chain, ["dimensions=64"])
    assert first == ("", "", system, chain)
    assert second[2] == system.model_copy(update={"dimensions": 64})

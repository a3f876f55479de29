from pathlib import Path

import pytest
from matplotlib.figure import Figure

from pipeline.benchmark.credits import Credits, read_credits
from pipeline.benchmark.listing import Repository, load_benchmark
from pipeline.plots.page_thumbnails import credited
from pipeline.shared.settings.params import load_params

ROOT = Path(__file__).parents[3]
PHOTOGRAPHS = "oriflamms/Dated-and-Datable-Manuscripts_resegmented"


def repository(licence: str) -> Repository:
    return Repository(licence=licence, citation="someone", commit="0" * 40, megabytes=1)


@pytest.fixture
def in_root(monkeypatch):
    """The repository's own params.yaml and data/benchmark.yaml, by profile."""
    monkeypatch.chdir(ROOT)
    params = load_params()
    return lambda profile: params.model_copy(update={"profile": profile})


def test_a_credit_names_each_repository_once():
    free, other = repository("CC BY 4.0 (README)"), repository("none stated")
    found = Credits({"a/1.png": ("o/r", free), "a/2.png": ("p/q", other), "b/3.png": ("o/r", free)})
    files = ["b/3.png", "a/2.png", "a/1.png", "b/3.png", "unknown.png"]
    assert found.of(files) == "3, 1: o/r (CC BY 4.0); 2: p/q (none stated)"
    assert [found.may_show(file) for file in files] == [True, False, True, True, True]


def test_every_page_of_the_benchmark_has_a_credit(in_root):
    found = read_credits(in_root("manuscripts"))
    assert len(found.sources) == 931
    photographs = [file for file in found.sources if not found.may_show(file)]
    assert len(photographs) == 96
    assert {found.sources[file][0] for file in photographs} == {PHOTOGRAPHS}
    assert {name for name, _ in found.sources.values()} <= load_benchmark().repositories.keys()


def test_a_figure_tells_its_sources_and_grows_for_it(in_root):
    params = in_root("manuscripts")
    figure = Figure(figsize=(5, 3), layout="constrained")
    figure.supxlabel("what is seen")
    credited(figure, params, list(read_credits(params).sources)[:9])
    told = figure.get_supxlabel().splitlines()
    assert told[0] == "what is seen"
    assert "HTRomance-Project/medieval-latin (CC BY 4.0)" in " ".join(told[1:])
    assert figure.get_figheight() > 3
    figure.canvas.draw()


def test_a_figure_of_own_pages_stays_as_it_is(in_root):
    params = in_root("scribes")
    assert read_credits(params) == Credits({})
    figure = credited(Figure(figsize=(5, 3)), params, ["a.png"])
    assert figure.get_supxlabel() == ""
    assert figure.get_figheight() == 3

from itertools import pairwise

import matplotlib.image
import numpy as np
import pytest

from pipeline.plots import sample_pages as samples
from pipeline.shared.page_lists import Page

NAMES = [f"figure{number}.{ending}" for number in (2, 3) for ending in ("png", "svg")]


def test_smoke(pages):
    samples.main()
    assert sorted(file.name for file in pages.reports.iterdir()) == NAMES
    for name in ("figure2.png", "figure3.png"):
        assert matplotlib.image.imread(pages.reports / name).shape[1] > 1200


def test_files_are_the_same_every_time(pages):
    samples.main()
    first = {file.name: file.read_bytes() for file in pages.reports.iterdir()}
    samples.main()
    assert first == {file.name: file.read_bytes() for file in pages.reports.iterdir()}


def test_writers_are_alike_and_different(pages):
    alike, different = samples.read_writers(pages.params)
    assert alike.heading == "two pages of one writer, writer 0"
    assert alike.captions == ("(a) 0", "(b) 1")
    assert different.captions == ("(c) writer writer 1", "(d) writer writer 2")


def test_the_writer_shown_twice_is_the_first_who_has_two_pages():
    pages = {name: [Page(f"{name}{i}.png", name, "test") for i in range(n)]
             for name, n in (("a", 1), ("b", 3), ("c", 1))}  # fmt: skip
    alike, different = samples.choose_writers(pages)
    assert [page.file for page in alike] == ["b0.png", "b1.png"]
    assert [page.file for page in different] == ["a0.png", "c0.png"]


def test_property_resembling_pairs_share_no_class_and_come_by_rate():
    rng = np.random.default_rng(0)
    for _ in range(20):
        counts = rng.integers(0, 9, (6, 6))
        pairs = samples.resembling(counts, 3)
        classes = [index for pair in pairs for index in (pair.one, pair.other)]
        assert len(classes) == len(set(classes)) == 6
        assert all(one.mistaken >= other.mistaken for one, other in pairwise(pairs))
        rates = {
            (i, j): 100 * (counts[i, j] + counts[j, i]) / (counts[i].sum() + counts[j].sum())
            for i in range(6)
            for j in range(i)
        }
        assert pairs[0].mistaken == pytest.approx(max(rates.values()))


def test_scripts_are_those_that_the_runs_confuse(pages):
    def confuse(arrays):
        # Every page of textualis is taken for cursiva.
        arrays["logits"] = 9.0 * np.eye(3)[[0, 1, 1] * 10]

    for name in ("scripts-a-avg", "scripts-a-max", "scripts-a-dgmp-5k"):
        for seed in (0, 1, 2):
            pages.edit_arrays(name, f"seed{seed}.npz", confuse)
    task, groups = samples.read_scripts(pages.params)
    assert task == "scripts_a"
    assert groups[0].heading == "taken for each other: 50 % of their pages"
    assert groups[0].captions == ("(a) cursiva", "(b) textualis")
    assert len(groups) == 1  # three classes make one pair


def test_the_title_says_how_scripts_were_chosen(pages, monkeypatch):
    titles = []
    draw = samples.draw
    monkeypatch.setattr(samples, "draw", lambda groups, t: titles.append(t) or draw(groups, t))
    samples.main()
    assert "most often taken for each other, no class shown twice, all 9 runs" in titles[1]


def test_errors_say_what_is_missing(pages):
    with pytest.raises(ValueError, match="1 test writers, and one with two pages"):
        samples.choose_writers({"a": [Page("1", "a", "test"), Page("2", "a", "test")]})
    with pytest.raises(ValueError, match="2 test writers, and none with two pages"):
        samples.choose_writers({name: [Page("1", name, "test")] for name in "ab"})
    file = pages.data / "acquire" / "pages" / "0.png"
    file.unlink()
    with pytest.raises(ValueError, match=r"0\.png is missing"):
        samples.main()
    (pages.data / "acquire" / "writers.csv").unlink()
    with pytest.raises(ValueError, match=r"writers\.csv is missing: run the stage acquire"):
        samples.main()
    pages.set("tables.table3", [])
    with pytest.raises(ValueError, match="lists no cell that tells script types apart"):
        samples.read_scripts(pages.params)
    assert not pages.reports.exists()


def test_errors_no_test_pages(pages):
    file = pages.data / "acquire" / "writers.csv"
    file.write_text("file,label,split,group\na.png,a,train,\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"writers\.csv has no page of the split test"):
        samples.main()

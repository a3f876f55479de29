from itertools import pairwise

import numpy as np
import pytest

from pipeline.plots import sample_pages
from pipeline.plots.page_thumbnails import read_test_pages
from pipeline.shared.page_lists import Page


def listed(**counts: int) -> dict[str, list[Page]]:
    """Test pages of writers, so many of each."""
    return {w: [Page(f"{w}{i}.png", w, "test") for i in range(n)] for w, n in counts.items()}


def test_writers_are_alike_and_different(pages):
    alike, different = sample_pages.read_writers(pages.params)
    assert alike.heading == "two pages of one writer, writer 0"
    assert alike.captions == ("(a) 0", "(b) 1")
    assert different.captions == ("(c) writer writer 1", "(d) writer writer 2")


def test_the_writer_shown_twice_is_the_first_who_has_two_pages():
    alike, different = sample_pages.choose_writers(listed(a=1, b=3, c=1))
    assert [page.file for page in alike] == ["b0.png", "b1.png"]
    assert [page.file for page in different] == ["a0.png", "c0.png"]


def test_property_resembling_pairs_share_no_class_and_come_by_rate():
    rng = np.random.default_rng(0)
    for _ in range(20):
        counts = rng.integers(0, 9, (6, 6))
        pairs = sample_pages.resembling(counts, 3)
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
    figure = sample_pages.scripts_figure(pages.params)
    title = " ".join(figure.get_suptitle().split())
    assert title.startswith("Test pages of made-up scripts & 50% more: the classes most often")
    assert title.endswith("taken for each other, no class shown twice, all 9 runs of Table III")
    (group,) = figure.subfigs  # three classes make one pair
    assert group.get_suptitle() == "taken for each other: 50 % of their pages"
    assert [axes.get_xlabel() for axes in group.axes] == ["(a) cursiva", "(b) textualis"]


def test_errors_tell_of_too_few_writers():
    with pytest.raises(ValueError, match="1 test writers, and one with two pages"):
        sample_pages.choose_writers(listed(a=2))
    with pytest.raises(ValueError, match="2 test writers, and none with two pages"):
        sample_pages.choose_writers(listed(a=1, b=1))


def test_errors_no_test_pages(tmp_path):
    file = tmp_path / "writers.csv"
    file.write_text("file,label,split,group\na.png,a,train,\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"writers\.csv has no page of the split test"):
        read_test_pages(file)

import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import to_hex

from pipeline.plots import retrieval_rankings as rankings

CELL = "writers-dgmp-1k-m01"


def arrays_of(project):
    with np.load(project.run(CELL, "seed0.npz")) as arrays:
        return dict(arrays)


def test_smoke(pages):
    rankings.main()
    assert matplotlib.image.imread(pages.reports / "figure7.png").shape[1] > 1200
    names = sorted(file.name for file in pages.reports.iterdir())
    assert names == ["figure7.png", "figure7.svg"]


def test_files_are_the_same_every_time(pages):
    rankings.main()
    first = {file.name: file.read_bytes() for file in pages.reports.iterdir()}
    rankings.main()
    assert first == {file.name: file.read_bytes() for file in pages.reports.iterdir()}


def test_rankings_agree_with_the_oracle(project):
    arrays = arrays_of(project)
    points, labels = arrays["descriptors"].astype(float), arrays["labels"]
    precisions = []
    for query in range(len(points)):
        distances = ((points - points[query]) ** 2).sum(axis=1)
        others = [page for page in np.argsort(distances, kind="stable") if page != query]
        hits = [rank for rank, page in enumerate(others, 1) if labels[page] == labels[query]]
        precisions.append(100 * np.mean([(i + 1) / rank for i, rank in enumerate(hits)]))
    found = rankings.choose_rankings(arrays, "sqeuclidean")
    assert len(found) == rankings.QUERIES
    for one in found:
        distances = ((points - points[one.query]) ** 2).sum(axis=1)
        others = [page for page in np.argsort(distances, kind="stable") if page != one.query]
        assert list(one.found) == others[: rankings.FIRST]
        assert one.precision == pytest.approx(precisions[one.query])
    # From the best to the worst of all queries.
    assert found[0].precision == pytest.approx(max(precisions))
    assert found[-1].precision == pytest.approx(min(precisions))
    assert [one.precision for one in found] == sorted((o.precision for o in found), reverse=True)


def test_a_page_without_relevant_ones_is_no_query(project):
    arrays = arrays_of(project)
    arrays["labels"] = np.array(["alone", *arrays["labels"][1:]])
    assert 0 not in {one.query for one in rankings.choose_rankings(arrays, "sqeuclidean")}


def test_right_and_wrong_are_told_apart_without_colour():
    page = np.full((30, 40), 255, np.uint8)
    ranking = rankings.Ranking(0, (1, 2), 50.0)
    files = ["pages/q.png", "pages/right.png", "pages/wrong.png"]
    figure = rankings.draw([ranking], dict.fromkeys(range(3), page), ["a", "a", "b"], files, "t")
    query, right, wrong = figure.axes
    assert query.get_title() == "q"
    assert query.get_ylabel() == "AP 50 %"
    assert right.get_title() == "✓ right"
    assert wrong.get_title() == "✗ wrong"
    dashes = [axes.spines["left"].get_linestyle() for axes in (right, wrong)]
    assert dashes[0] != dashes[1]
    colours = [to_hex(axes.spines["left"].get_edgecolor()) for axes in (right, wrong)]
    assert colours[0] != colours[1]


@pytest.mark.parametrize("pages", [2, 4])
def test_shapes_of_few_test_pages(pages):
    arrays = {"descriptors": np.eye(4)[:pages], "labels": np.array(["a", "a", "b", "b"][:pages])}
    found = rankings.choose_rankings(arrays, "sqeuclidean")
    assert len(found) == pages
    assert all(len(one.found) == pages - 1 for one in found)


def test_errors_name_the_file_and_the_remedy(pages):
    (pages.data / "binarize" / "pages" / "3.png").unlink()
    for number in range(24):
        (pages.data / "binarize" / "pages" / f"{number}.png").unlink(missing_ok=True)
    with pytest.raises(ValueError, match=r"binarize/pages/\d+\.png is missing"):
        rankings.main()

    def spoil(arrays):
        arrays["labels"] = np.array([str(i) for i in range(24)])

    pages.edit_arrays(CELL, "seed0.npz", spoil)
    with pytest.raises(ValueError, match=r"seed0\.npz: .*writer two pages"):
        rankings.main()
    pages.run(CELL, "seed0.npz").unlink()
    remedy = f"run `dvc repro train@{CELL}`"
    with pytest.raises(ValueError, match=rf"seed0\.npz is missing: {remedy}"):
        rankings.main()
    assert not pages.reports.exists()

import numpy as np
import pytest
from matplotlib.colors import to_hex

from pipeline.plots import retrieval_rankings
from pipeline.plots.retrieval_rankings import FIRST, QUERIES, choose_rankings
from tests.pipeline.plots.conftest import CELL


@pytest.fixture
def arrays(project):
    with np.load(project.run(CELL, "seed0.npz")) as archive:
        return dict(archive)


def test_rankings_agree_with_the_oracle(arrays):
    points, labels = arrays["descriptors"].astype(float), arrays["labels"]
    orders, precisions = [], []
    for query in range(len(points)):
        distances = ((points - points[query]) ** 2).sum(axis=1)
        orders.append([page for page in np.argsort(distances, kind="stable") if page != query])
        hits = [rank for rank, page in enumerate(orders[-1], 1) if labels[page] == labels[query]]
        precisions.append(100 * np.mean([(i + 1) / rank for i, rank in enumerate(hits)]))
    found = choose_rankings(arrays, "sqeuclidean")
    assert len(found) == QUERIES
    for one in found:
        assert list(one.found) == orders[one.query][:FIRST]
        assert one.precision == pytest.approx(precisions[one.query])
    # From the best to the worst of all queries.
    assert found[0].precision == pytest.approx(max(precisions))
    assert found[-1].precision == pytest.approx(min(precisions))
    assert [one.precision for one in found] == sorted((o.precision for o in found), reverse=True)


def test_a_page_without_relevant_ones_is_no_query(arrays):
    arrays["labels"] = np.array(["alone", *arrays["labels"][1:]])
    assert 0 not in {one.query for one in choose_rankings(arrays, "sqeuclidean")}


def test_right_and_wrong_are_told_apart_without_colour():
    page = np.full((30, 40), 255, np.uint8)
    ranking = retrieval_rankings.Ranking(0, (1, 2), 50.0)
    files = ["pages/q.png", "pages/right.png", "pages/wrong.png"]
    pages = dict.fromkeys(range(3), page)
    query, right, wrong = retrieval_rankings.draw([ranking], pages, "aab", files, "t").axes
    assert query.get_title() == "q"
    assert query.get_ylabel() == "AP 50 %"
    assert right.get_title() == "✓ right"
    assert wrong.get_title() == "✗ wrong"
    spines = [axes.spines["left"] for axes in (right, wrong)]
    assert len({str(spine.get_linestyle()) for spine in spines}) == 2
    assert len({to_hex(spine.get_edgecolor()) for spine in spines}) == 2


@pytest.mark.parametrize("pages", [2, 4])
def test_shapes_of_few_test_pages(pages):
    arrays = {"descriptors": np.eye(4)[:pages], "labels": np.array(["a", "a", "b", "b"][:pages])}
    found = choose_rankings(arrays, "sqeuclidean")
    assert [len(one.found) for one in found] == [pages - 1] * pages

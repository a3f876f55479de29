import numpy as np
import pytest

from dgmp.metrics import evaluate_retrieval
from pipeline import evaluate
from pipeline.plots import lambda_and_margin


@pytest.fixture
def evaluated(project):
    evaluate.main()
    return project


def test_points_agree_with_the_oracle(evaluated):
    points = lambda_and_margin.read_points(evaluated.params)
    assert len(points) == len(evaluated.params.tables.table1)
    point = next(p for p in points if p.lambda_ == 1000 and p.margin == 0.2)
    expected = []
    for seed in (0, 1):
        with np.load(evaluated.run("writers-dgmp-1k-m02", f"seed{seed}.npz")) as arrays:
            scores = evaluate_retrieval(arrays["descriptors"], arrays["labels"])
        expected.append(scores.mean_average_precision)
    np.testing.assert_allclose(point.mAP, expected, atol=1e-5)
    assert point.mean == pytest.approx(np.mean(expected), abs=1e-5)
    assert point.sd == pytest.approx(np.std(expected, ddof=1), abs=1e-5)


def test_axes_are_labelled_and_every_curve_is_in_a_legend(evaluated):
    left, right = lambda_and_margin.figure(evaluated.params).axes
    labels = [text.get_text() for text in left.get_legend().get_texts()]
    assert labels == ["margin 0.1", "margin 0.2", "margin 0.5"]
    labels = [text.get_text() for text in right.get_legend().get_texts()]
    assert labels == ["Avg", "Max", "DGMP, λ = 1", "DGMP, λ = 10³", "DGMP, λ = 10⁵"]
    ticks = [text.get_text() for text in left.get_xticklabels()]
    assert ticks == ["1", "$10^{3}$", "$10^{5}$", "Avg", "Max"]
    assert [text.get_text() for text in right.get_xticklabels()] == ["0.1", "0.2", "0.5"]
    assert left.get_ylabel() == "test mAP [%]"
    # Curves of DGMP are all black: dashes and markers tell them apart.
    lines = [bars.lines[0] for bars in right.containers]
    looks = {(str(line._dash_pattern), line.get_marker()) for line in lines}
    assert len(looks) == 5


def test_one_seed_has_no_deviation(project):
    project.set("profiles.scribes.writers.seeds", [1])
    evaluate.main()
    points = lambda_and_margin.read_points(project.params)
    assert all(len(point.mAP) == 1 and np.isnan(point.sd) for point in points)
    lambda_and_margin.draw(points, "a title")


@pytest.mark.parametrize("cells", [["writers-dgmp-1-m01"], ["writers-max-m05", "writers-avg-m01"]])
def test_shapes_of_short_tables(evaluated, cells):
    figure = lambda_and_margin.figure(evaluated.set("tables.table1", cells))
    assert len(figure.axes[1].containers) == len(cells)

import math

import pytest

from pipeline.plots import lambda_and_margin


def test_points_are_those_of_hand_computed_scores(scored):
    points = lambda_and_margin.read_points(scored.params)
    assert len(points) == len(scored.params.tables.table1)
    point = next(p for p in points if p.lambda_ == 1000 and p.margin == 0.2)
    # The eleventh cell of params.yaml, with two seeds.
    assert point.mAP == (70.0, 70.5)
    assert point.mean == 70.25
    assert point.sd == pytest.approx(0.5 / math.sqrt(2))


def test_axes_are_labelled_and_every_curve_is_in_a_legend(scored):
    left, right = lambda_and_margin.figure(scored.params).axes
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


def test_one_seed_has_no_deviation():
    point = lambda_and_margin.Point("Avg", "avg", None, 0.1, (60.0,))
    assert math.isnan(point.sd)
    assert lambda_and_margin.draw([point], "a title").axes[1].containers


@pytest.mark.parametrize("cells", [["writers-dgmp-1-m01"], ["writers-max-m05", "writers-avg-m01"]])
def test_shapes_of_short_tables(scored, cells):
    figure = lambda_and_margin.figure(scored.set("tables.table1", cells))
    assert len(figure.axes[1].containers) == len(cells)

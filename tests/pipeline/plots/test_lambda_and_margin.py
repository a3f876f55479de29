import math

import pytest

from pipeline.plots import lambda_and_margin


def test_points_are_those_of_hand_computed_scores(scored):
    points = lambda_and_margin.read_points(scored.params)
    assert len(points) == len(scored.params.tables.table1) + len(scored.params.sweep)
    point = next(p for p in points if p.lambda_ == 1000 and p.margin == 0.2)
    # The fourteenth cell of params.yaml, with two seeds.
    assert point.mAP == (73.0, 73.5)
    assert point.mean == 73.25
    assert point.sd == pytest.approx(0.5 / math.sqrt(2))
    started = lambda_and_margin.read_untrained(scored.params)
    assert [(p.label, p.mAP) for p in started[:3]] == [
        ("Avg", (50.0,)),
        ("Max", (51.0,)),
        ("DGMP, λ = 1", (52.0,)),
    ]
    assert [p.lambda_ for p in started if p.relative] == [0.01, 0.1, 1, 10, 100]


def test_axes_are_labelled_and_every_curve_is_in_a_legend(scored):
    left, middle, right = lambda_and_margin.figure(scored.params).axes
    labels = [text.get_text() for text in left.get_legend().get_texts()]
    assert labels == ["margin 0.1", "margin 0.2", "margin 0.5", "without training"]
    labels = [text.get_text() for text in right.get_legend().get_texts()]
    lambdas = ("1", "10³", "10⁵", "100", "10⁴")
    assert labels == ["Avg", "Max", *(f"DGMP, λ = {value}" for value in lambdas)]
    ticks = [text.get_text() for text in left.get_xticklabels()]
    assert ticks == ["1", "100", "$10^{3}$", "$10^{4}$", "$10^{5}$", "Avg", "Max"]
    assert [text.get_text() for text in right.get_xticklabels()] == ["0.1", "0.2", "0.5"]
    assert left.get_ylabel() == "test mAP [%]"
    ticks = [text.get_text() for text in middle.get_xticklabels()]
    assert ticks == ["0.01", "0.1", "1", "10", "100"]
    # The starting network's row with relative lambda = 1, after Avg, Max and five lambdas.
    (curve,) = (bars.lines[0] for bars in middle.containers)
    assert curve.get_ydata()[2] == 59
    # Curves of DGMP are all black: dashes and markers tell them apart.
    lines = [bars.lines[0] for bars in right.containers]
    looks = {(str(line._dash_pattern), line.get_marker()) for line in lines}
    assert len(looks) == 7


def test_one_seed_has_no_deviation():
    point = lambda_and_margin.Point("Avg", "avg", None, False, 0.1, (60.0,))
    assert math.isnan(point.sd)
    assert lambda_and_margin.draw([point], [], "a title").axes[2].containers


@pytest.mark.parametrize("cells", [["writers-dgmp-1-m01"], ["writers-max-m05", "writers-avg-m01"]])
def test_shapes_of_short_tables(scored, cells):
    scored.set("sweep", [])
    figure = lambda_and_margin.figure(scored.set("tables.table1", cells))
    assert len(figure.axes[2].containers) == len(cells)

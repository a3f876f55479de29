import numpy as np
import pytest
from matplotlib.colors import to_hex

from pipeline.plots import ladder
from pipeline.plots.ladder import ZOOM, Row, draw, read_rows
from pipeline.shared.settings.systems import STEPS


def row(title, *means):
    return Row(title, np.array([[mean, mean - 2, mean + 1] for mean in means]))


ROWS = [row("low", 5, 6, 7, 8), row("high", 90, 91, 92, 93), row("top", 80, 96, 97, 98)]


def test_rows_are_those_of_the_table_with_the_compared_scores(scored):
    rows = read_rows(scored.params)
    table = scored.params.tables.table4
    assert [row.title for row in rows] == [system.title for system in table.values()]
    places = list(scored.params.systems)
    for name, one in zip(table, rows, strict=True):
        means = 90.0 - 5 * places.index(name) + np.arange(4)
        np.testing.assert_allclose(one.scores, np.stack([means, means - 3, means + 1], axis=1))


def test_markers_and_intervals_stand_at_the_scores():
    whole, zoomed = draw(ROWS, "t").axes
    assert [label.get_text() for label in whole.get_yticklabels()] == ["low", "high", "top"]
    for number, (line, interval) in enumerate(zip(whole.lines, whole.collections, strict=True)):
        assert list(line.get_xdata()) == [one.scores[number, 0] for one in ROWS]
        for one, segment in zip(ROWS, interval.get_segments(), strict=True):
            assert list(segment[:, 0]) == list(one.scores[number, 1:])
        np.testing.assert_allclose(interval.get_segments()[1][:, 1], line.get_ydata()[1])
    # The steps of a system are apart, in their order, and stay in the system's row.
    places = np.array([line.get_ydata() for line in whole.lines])
    assert (np.diff(places, axis=0) > 0.1).all()
    assert (np.abs(places - np.arange(3)) < 0.5).all()
    # The second panel shows what is high enough, and says so of the rest.
    shown = np.array([line.get_xdata() for line in zoomed.lines])
    means = np.array([one.scores[:, 0] for one in ROWS]).T
    np.testing.assert_array_equal(shown, np.where(means < ZOOM, np.nan, means))
    assert [(text.get_text(), text.get_position()[1]) for text in zoomed.texts] == [
        ("below 85 %", 0)
    ]


def test_steps_are_told_apart_without_colour_and_the_last_one_is_hollow():
    figure = draw(ROWS, "t")
    lines = figure.axes[0].lines
    assert len({line.get_marker() for line in lines}) == len(STEPS)
    assert len({line.get_color() for line in lines}) == len(STEPS)
    hollow = [to_hex(line.get_markerfacecolor()) == "#ffffff" for line in lines]
    assert hollow == [False, False, False, True]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["raw", "whitened", "E-SVM", "re-ranked (transductive)"]


@pytest.mark.parametrize(("high", "panels"), [(1, 1), (2, 2)])
def test_the_upper_end_is_enlarged_if_many_systems_are_there(high, panels):
    rows = [*ROWS[1 : 1 + high], *[ROWS[0]] * (4 - high)]
    assert len(draw(rows, "t").axes) == panels


def test_the_title_names_data_and_confidence(scored):
    scored.set("compare.confidence", 0.9)
    title = ladder.figure(scored.params).get_suptitle()
    assert title == "Writer retrieval, made-up scribes: means of all runs and 90 % intervals"

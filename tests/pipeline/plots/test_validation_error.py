import numpy as np
import pandas as pd
import pytest

from pipeline.plots import validation_error
from pipeline.reporting.embedded_figures import CAPTIONS

EPOCHS = 6


def edit_errors(project, name, edit) -> pd.DataFrame:
    """Change the validation errors in a cell's curves.csv by a function of its rows."""
    file = project.run(name, "curves.csv")
    rows = pd.read_csv(file)
    rows.assign(validation_error=edit).to_csv(file, index=False)
    return rows


def test_rows_agree_with_the_oracle(project):
    log = pd.read_csv(project.run("scripts-b-max", "curves.csv"))
    found = validation_error.rows(project.params)
    cells = len(project.params.tables.table2) + len(project.params.tables.table3)
    assert len(found) == cells * EPOCHS
    errors = log.loc[log["epoch"] == 3, "validation_error"].to_numpy()
    wanted = ("(b) made-up scripts_b", "Max", 3)
    point = next(row for row in found if (row["set"], row["pooling"], row["epoch"]) == wanted)
    mean, sd = np.mean(errors), np.std(errors, ddof=1)
    expected = pytest.approx((mean, mean - sd, mean + sd), abs=1e-4)
    assert (point["error"], point["low"], point["high"]) == expected
    assert {row["set"] for row in found} == {
        "(a) made-up scripts & 50% more",
        "(b) made-up scripts_b",
        "(c) made-up scribes, margin 0.1",
    }


def test_errors_of_zero_stay_above_the_floor_of_the_logarithm(project):
    edit_errors(project, "scripts-a-avg", 0)
    edit_errors(project, "scripts-a-max", lambda rows: rows["seed"].map({0: 0.2}).fillna(50))
    found = validation_error.rows(project.params)
    assert min(row["low"] for row in found) == validation_error.FLOOR
    assert min(row["error"] for row in found) == validation_error.FLOOR


def test_epochs_without_validation_are_left_out_and_one_seed_has_no_band(project):
    name = "scripts-a-avg"
    log = edit_errors(
        project, name, lambda rows: rows["validation_error"].where(rows["epoch"].isin([2, 5]))
    )
    curve = validation_error.read_error(project.params, name, "Avg")
    assert curve.epochs.tolist() == [2, 5]
    assert (curve.low < curve.mean).all()
    one = log[log["seed"] == 2]
    one.to_csv(project.run(name, "curves.csv"), index=False)
    curve = validation_error.read_error(project.params, name, "Avg")
    np.testing.assert_allclose(curve.mean, one["validation_error"])
    np.testing.assert_array_equal(curve.low, curve.high)


def test_collapsed_runs_bear_a_dagger(project):
    project.edit_run("writers-max-m01", 1, collapsed=True)
    drawn = validation_error.figure(project.params)
    labels = [text.get_text() for axes in drawn.axes for text in axes.get_legend().get_texts()]
    assert [label for label in labels if "†" in label] == ["Max †"]
    assert "collapsed" in drawn.get_supxlabel()
    rows = validation_error.rows(project.params)
    collapsed = {(row["set"][:3], row["pooling"]) for row in rows if row["collapsed"]}
    assert collapsed == {("(c)", "Max")}


def test_two_margins_are_told_apart(project):
    params = project.set("tables.table2", ["writers-avg-m01", "writers-avg-m02"])
    panel = validation_error.read_panels(params)[2]
    assert [curve.label for curve in panel.curves] == ["Avg, margin 0.1", "Avg, margin 0.2"]
    assert panel.title == "(c) made-up scribes"


def test_data_without_cells_have_no_panel(project):
    axes = validation_error.figure(project.set("tables.table3", ["scripts-b-avg"])).axes
    assert [one.get_title()[:3] for one in axes] == ["(b)", "(c)"]
    project.set("tables.table3", [])
    with pytest.raises(ValueError, match=r"tables\.table2 and tables\.table3 list no cell"):
        validation_error.figure(project.set("tables.table2", []))


def test_every_pooling_has_a_style(project):
    names = {pooling.name for pooling in project.params.poolings.values()}
    styles = validation_error.STYLES
    assert names <= styles.keys()
    assert len({str(style) for style in styles.values()}) == len(styles)


def test_the_caption_tells_of_bands_that_are_cut_off():
    epochs, mean = np.array([1, 2]), np.array([50.0, 40.0])
    curve = validation_error.ErrorCurve("Avg", "avg", 0, epochs, mean, mean - 38, mean + 38)
    panel = validation_error.Panel("(a)", "100 − accuracy", (curve,))
    assert validation_error.draw([panel]).axes[0].get_ylim()[0] > curve.low.min()
    assert "cut off" in next(one for one in CAPTIONS if one.name == "figure4").text


def test_logarithmic_axes_have_three_labelled_ticks(project):
    # Errors between two ticks of powers of ten, as of writers.
    for name in project.params.tables.table2:
        edit_errors(project, name, lambda rows: 12 + rows["validation_error"] / 40)
    for axes in validation_error.figure(project.params).axes:
        low, high = axes.get_ylim()
        assert len([tick for tick in axes.get_yticks() if low <= tick <= high]) >= 3
        assert all(text.get_text() for text in axes.get_yticklabels())

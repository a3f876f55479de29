import csv
import json

import matplotlib.image
import numpy as np
import pytest

from pipeline.plots import validation_error as figures
from pipeline.reporting.embedded_figures import CAPTIONS

EPOCHS = 6


def edit_curves(project, name, edit):
    file = project.run(name, "curves.csv")
    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    edited = [row for row in map(edit, rows) if row]
    with file.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, rows[0].keys())
        writer.writeheader()
        writer.writerows(edited)
    return rows


def test_smoke(project):
    figures.main()
    picture = matplotlib.image.imread(project.reports / "figure4.png")
    assert picture.shape[0] > 500
    assert picture.shape[1] > 1400
    assert "<svg" in (project.reports / "figure4.svg").read_text(encoding="utf-8")
    assert sorted(file.name for file in project.reports.iterdir()) == [
        "figure4.json",
        "figure4.png",
        "figure4.svg",
    ]


def test_files_are_the_same_every_time(project):
    figures.main()
    first = {file.name: file.read_bytes() for file in project.reports.iterdir()}
    figures.main()
    assert first == {file.name: file.read_bytes() for file in project.reports.iterdir()}


def test_rows_agree_with_the_oracle(project):
    rows = edit_curves(project, "scripts-b-max", lambda row: row)
    figures.main()
    found = json.loads((project.reports / "figure4.json").read_text(encoding="utf-8"))
    cells = len(project.params.tables.table2) + len(project.params.tables.table3)
    assert len(found) == cells * EPOCHS
    errors = [float(row["validation_error"]) for row in rows if row["epoch"] == "3"]
    point = next(
        row
        for row in found
        if (row["set"], row["pooling"], row["epoch"]) == ("(b) made-up scripts_b", "Max", 3)
    )
    mean, sd = np.mean(errors), np.std(errors, ddof=1)
    assert point["error"] == pytest.approx(mean, abs=1e-4)
    assert point["low"] == pytest.approx(mean - sd, abs=1e-4)
    assert point["high"] == pytest.approx(mean + sd, abs=1e-4)
    assert {row["set"] for row in found} == {
        "(a) made-up scripts & 50% more",
        "(b) made-up scripts_b",
        "(c) made-up scribes, margin 0.1",
    }


def test_errors_of_zero_stay_above_the_floor_of_the_logarithm(project):
    edit_curves(project, "scripts-a-avg", lambda row: row | {"validation_error": "0"})
    edit_curves(
        project,
        "scripts-a-max",
        lambda row: row | {"validation_error": "0.2" if row["seed"] == "0" else "50"},
    )
    figures.main()
    found = json.loads((project.reports / "figure4.json").read_text(encoding="utf-8"))
    assert min(row["low"] for row in found) == figures.FLOOR
    assert min(row["error"] for row in found) == figures.FLOOR


def test_epochs_without_validation_are_left_out(project):
    edit_curves(
        project,
        "scripts-a-avg",
        lambda row: row | {"validation_error": row["validation_error"] * (row["epoch"] in "25")},
    )
    cell = project.params.cells["scripts-a-avg"]
    curve = figures.read_curve(project.params, "scripts-a-avg", cell, "Avg")
    assert curve.epochs.tolist() == [2, 5]


def test_one_seed_has_no_band_and_other_seeds_do_not_count(project):
    project.set("profiles.scribes.scripts_a.seeds", [2])
    cell = project.params.cells["scripts-a-avg"]
    curve = figures.read_curve(project.params, "scripts-a-avg", cell, "Avg")
    rows = edit_curves(project, "scripts-a-avg", lambda row: row)
    expected = [float(row["validation_error"]) for row in rows if row["seed"] == "2"]
    np.testing.assert_allclose(curve.mean, expected)
    np.testing.assert_array_equal(curve.low, curve.high)


def test_collapsed_runs_bear_a_dagger(project):
    project.edit_run("writers-max-m01", 1, collapsed=True)
    panels = figures.read_panels(project.params)
    drawn = figures.draw(panels)
    labels = [text.get_text() for axes in drawn.axes for text in axes.get_legend().get_texts()]
    assert [label for label in labels if "†" in label] == ["Max †"]
    assert "collapsed" in drawn.get_supxlabel()
    rows = figures.plot_rows(panels)
    collapsed = {(row["set"][:3], row["pooling"]) for row in rows if row["collapsed"]}
    assert collapsed == {("(c)", "Max")}


def test_two_margins_are_told_apart(project):
    project.set("tables.table2", ["writers-avg-m01", "writers-avg-m02"])
    panel = figures.read_panels(project.params)[2]
    assert [curve.label for curve in panel.curves] == ["Avg, margin 0.1", "Avg, margin 0.2"]
    assert panel.title == "(c) made-up scribes"


def test_data_without_cells_have_no_panel(project):
    project.set("tables.table3", ["scripts-b-avg"])
    assert [panel.title[:3] for panel in figures.read_panels(project.params)] == ["(b)", "(c)"]
    figures.main()
    project.set("tables.table3", [])
    project.set("tables.table2", [])
    with pytest.raises(ValueError, match=r"tables\.table2 and tables\.table3 list no cell"):
        figures.main()


def test_every_pooling_has_a_style(project):
    names = {pooling.name for pooling in project.params.poolings.values()}
    assert names <= figures.STYLES.keys()
    assert len({str(style) for style in figures.STYLES.values()}) == len(figures.STYLES)


def test_errors_name_the_file_and_the_remedy(project):
    remedy = "run `dvc repro train@scripts-b-max`"
    name = "scripts-b-max"
    edit_curves(project, name, lambda row: row | {"validation_error": ""})
    with pytest.raises(ValueError, match=f"no validation error of seed 0: {remedy}"):
        figures.main()
    edit_curves(
        project,
        name,
        lambda row: (
            row | {"validation_error": "" if (row["seed"], row["epoch"]) == ("1", "2") else "9"}
        ),
    )
    with pytest.raises(
        ValueError, match="seeds 0 and 1 have a validation error of different epochs"
    ):
        figures.main()
    file = project.run(name, "curves.csv")
    file.write_text("seed,epoch\n0,1\n")
    with pytest.raises(ValueError, match=r"curves\.csv is damaged"):
        figures.main()
    file.unlink()
    with pytest.raises(ValueError, match=rf"scripts-b-max/curves\.csv is missing: {remedy}"):
        figures.main()
    assert not project.reports.exists()


def test_the_caption_tells_of_bands_that_are_cut_off():
    epochs, mean = np.array([1, 2]), np.array([50.0, 40.0])
    curve = figures.Curve("Avg", "avg", 0, epochs, mean, mean - 38, mean + 38)
    axes = figures.draw([figures.Panel("(a)", "100 − accuracy", (curve,))]).axes[0]
    assert axes.get_ylim()[0] > curve.low.min()
    caption = next(one for one in CAPTIONS if one.name == "figure4")
    assert "cut off" in caption.text


def test_logarithmic_axes_have_three_labelled_ticks(project):
    # Errors between two ticks of powers of ten, as of writers.
    for name in project.params.tables.table2:
        edit_curves(
            project,
            name,
            lambda row: row | {"validation_error": str(12 + float(row["validation_error"]) / 40)},
        )
    for axes in figures.draw(figures.read_panels(project.params)).axes:
        low, high = axes.get_ylim()
        ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
        assert len(ticks) >= 3
        assert all(text.get_text() for text in axes.get_yticklabels())

import json

import matplotlib.image
import numpy as np
import pytest

from pipeline import figures


def test_all_figures_are_written(scored, described):
    figures.main()
    folder = described.reports / "figures"
    written = [str(one.relative_to(described.reports)) for one in described.reports.rglob("*.*")]
    names = [f"figures/{name}.{ending}" for name in figures.FIGURES for ending in ("png", "svg")]
    assert sorted(written) == ["curves.json", *sorted(names), "lambda.json"]
    for name in figures.FIGURES:
        assert matplotlib.image.imread(folder / f"{name}.png").shape[1] > 1200
    for name, rows in figures.CURVES.items():
        text = (described.reports / f"{name}.json").read_text(encoding="utf-8")
        assert json.loads(text) == rows(described.params)
    # Ink is black, and weights above and below average pooling's are orange and purple.
    picture = matplotlib.image.imread(folder / "figure8.png")
    red, _, blue, _ = np.moveaxis(picture, 2, 0)
    assert (picture[..., :3].max(axis=2) == 0).any()
    assert (red > blue + 0.5).any()
    assert (blue > red + 0.15).any()  # white and grey have no difference


@pytest.mark.parametrize(
    ("number", "table", "cells", "message"),
    [
        (3, 3, [], "lists no cell that tells script types apart"),
        (5, 1, ["scripts-a-avg"], r"tables\.table1 lists no writers cell"),
        (6, 3, ["scripts-a-max"], "no cell of average pooling nor of dgmp"),
        (7, 2, ["writers-avg-m01"], r"tables\.table2 lists no writers cell of a dgmp pooling"),
        (8, 2, ["writers-avg-m01"], r"tables\.table2 lists no writers cell of a dgmp pooling"),
        (9, 4, {}, r"tables\.table4 lists no system to draw"),
        (10, 4, {"sift-vlad": {"title": "SIFT"}}, r"table4 lists no system of .* pooling gmp"),
    ],
)
def test_errors_tell_which_table_lacks_a_cell(project, number, table, cells, message):
    params = project.set(f"tables.table{table}", cells)
    with pytest.raises(ValueError, match=message):
        figures.FIGURES[f"figure{number}"](params)


def test_errors_leave_no_figure(pages):
    (pages.data / "acquire" / "pages" / "0.png").unlink()
    with pytest.raises(ValueError, match=r"pages/0\.png is missing"):
        figures.main()
    assert not any(pages.reports.iterdir())

import matplotlib.image
import numpy as np
import pytest

from pipeline import evaluate, figures

NUMBERS = range(1, 9)


def test_all_figures_are_the_same_every_time(pages):
    evaluate.main()
    written = []
    for _ in range(2):
        figures.main()
        files = sorted(file for file in pages.reports.rglob("*") if file.is_file())
        written.append({str(file.relative_to(pages.reports)): file.read_bytes() for file in files})
    assert written[0] == written[1]
    names = [f"figures/figure{number}.{kind}" for number in NUMBERS for kind in ("png", "svg")]
    assert list(written[0]) == ["curves.json", *names, "lambda.json"]
    pictures = {
        n: matplotlib.image.imread(pages.reports / f"figures/figure{n}.png") for n in NUMBERS
    }
    assert all(picture.shape[1] > 1200 for picture in pictures.values())
    assert all(b"<svg" in written[0][name] for name in names if name.endswith("svg"))
    # Ink is black, and weights above and below average pooling's are orange and purple.
    red, _, blue, _ = np.moveaxis(pictures[8], 2, 0)
    assert (pictures[8][..., :3].max(axis=2) == 0).any()
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

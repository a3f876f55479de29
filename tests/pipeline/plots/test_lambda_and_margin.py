import matplotlib.image
import numpy as np
import pytest

from dgmp.metrics import evaluate_retrieval
from pipeline import evaluate
from pipeline.plots import lambda_and_margin as margins


@pytest.fixture
def evaluated(project):
    evaluate.main()
    return project


def test_smoke(evaluated):
    margins.main()
    assert matplotlib.image.imread(evaluated.reports / "figure5.png").shape[1] > 1200
    names = sorted(file.name for file in evaluated.reports.iterdir())
    assert names == ["figure5.png", "figure5.svg"]


def test_files_are_the_same_every_time(evaluated):
    margins.main()
    first = {file.name: file.read_bytes() for file in evaluated.reports.iterdir()}
    margins.main()
    assert first == {file.name: file.read_bytes() for file in evaluated.reports.iterdir()}


def test_points_agree_with_the_oracle(evaluated):
    points = margins.read_points(evaluated.params)
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
    figure = margins.draw(margins.read_points(evaluated.params), "a title")
    left, right = figure.axes
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


def test_one_seed_has_no_deviation(evaluated):
    evaluated.set("profiles.scribes.writers.seeds", [1])
    points = margins.read_points(evaluated.params)
    assert all(len(point.mAP) == 1 and np.isnan(point.sd) for point in points)
    margins.main()


@pytest.mark.parametrize("cells", [["writers-dgmp-1-m01"], ["writers-max-m05", "writers-avg-m01"]])
def test_shapes_of_short_tables(evaluated, cells):
    evaluated.set("tables.table1", cells)
    points = margins.read_points(evaluated.params)
    figure = margins.draw(points, "a title")
    assert len(figure.axes[1].containers) == len(cells)


def test_errors_name_the_file_and_the_remedy(evaluated):
    (evaluated.data / "evaluate" / "scores.csv").unlink()
    with pytest.raises(ValueError, match=r"scores\.csv is missing: run `dvc repro evaluate`"):
        margins.main()
    evaluated.set("tables.table1", [])
    with pytest.raises(ValueError, match=r"tables\.table1 lists no writers cell"):
        margins.main()
    assert not evaluated.reports.exists()

import matplotlib.image
import numpy as np
import pytest

from pipeline.plots import confusion_matrices as confusion


def test_smoke(project):
    confusion.main()
    assert matplotlib.image.imread(project.reports / "figure6.png").shape[1] > 1200
    names = sorted(file.name for file in project.reports.iterdir())
    assert names == ["figure6.png", "figure6.svg"]


def test_files_are_the_same_every_time(project):
    confusion.main()
    first = {file.name: file.read_bytes() for file in project.reports.iterdir()}
    confusion.main()
    assert first == {file.name: file.read_bytes() for file in project.reports.iterdir()}


def test_counts_and_recalls_agree_with_the_oracle(project):
    cell = project.params.cells["scripts-b-max"]
    classes, found = confusion.read_confusions(project.params, "scripts-b-max", cell)
    counts = np.zeros((3, 3), int)
    recalls = []
    for seed in (0, 1, 2):
        with np.load(project.run("scripts-b-max", f"seed{seed}.npz")) as arrays:
            predicted = arrays["classes"][arrays["logits"].argmax(axis=1)]
            labels = arrays["labels"]
        for label, other in zip(labels, predicted, strict=True):
            counts[classes.index(label), classes.index(other)] += 1
        recalls.append([100 * np.mean(predicted[labels == name] == name) for name in classes])
    np.testing.assert_array_equal(found.counts, counts)
    np.testing.assert_allclose(found.recalls, recalls)
    np.testing.assert_allclose(found.percent.sum(axis=1), 100)
    assert found.accuracy == pytest.approx(100 * counts.trace() / counts.sum())


def test_centuries_stand_in_their_order(project):
    centuries = np.array(["13", "17-on", "to-12"])

    def rename(arrays):
        arrays["labels"] = centuries[np.searchsorted(arrays["classes"], arrays["labels"])]
        arrays["classes"] = centuries

    cell = project.params.cells["scripts-b-max"]
    _, before = confusion.read_confusions(project.params, "scripts-b-max", cell)
    for seed in (0, 1, 2):
        project.edit_arrays("scripts-b-max", f"seed{seed}.npz", rename)
    classes, found = confusion.read_confusions(project.params, "scripts-b-max", cell)
    assert classes == ("to-12", "13", "17-on")
    order = [2, 0, 1]
    np.testing.assert_array_equal(found.counts, before.counts[np.ix_(order, order)])
    np.testing.assert_array_equal(found.recalls, before.recalls[:, order])


def test_a_class_without_pages_has_no_recall(project):
    def without_the_last(arrays):
        kept = arrays["labels"] != arrays["classes"][2]
        arrays |= {name: arrays[name][kept] for name in ("logits", "labels", "files")}

    for seed in (0, 1, 2):
        project.edit_arrays("scripts-b-max", f"seed{seed}.npz", without_the_last)
    cell = project.params.cells["scripts-b-max"]
    classes, found = confusion.read_confusions(project.params, "scripts-b-max", cell)
    assert np.isnan(found.percent[2]).all()
    panel = confusion.Panel("a title", classes, (found,))
    assert len(confusion.draw([panel]).subfigs) == 1


def test_average_stands_beside_dgmp(project):
    panels = confusion.read_panels(project.params)
    assert [panel.title[:3] for panel in panels] == ["(a)", "(b)"]
    for panel in panels:
        assert [one.label for one in panel.compared] == ["Avg", "DGMP, λ = 5000"]
    figure = confusion.draw(panels)
    titles = [axes.get_title() for axes in figure.subfigs[0].axes]
    assert titles[0].startswith("Avg: accuracy")
    assert titles[1].startswith("DGMP, λ = 5000: accuracy")
    assert titles[2] == "recall of each class"
    # The numbers of the first matrix, but for those below a percent.
    percent = panels[0].compared[0].percent
    shown = [text.get_text() for text in figure.subfigs[0].axes[0].texts]
    assert shown == [f"{value:.0f}" for value in percent.ravel() if value >= confusion.SHOWN]


def test_errors_name_the_file_and_the_remedy(project):
    remedy = "run `dvc repro train@scripts-a-avg`"
    project.run("scripts-a-avg", "seed1.npz").unlink()
    with pytest.raises(ValueError, match=rf"seed1\.npz is missing: {remedy}"):
        confusion.main()
    project.set("tables.table3", ["scripts-a-max"])
    with pytest.raises(ValueError, match="no cell of average pooling nor of dgmp"):
        confusion.main()
    assert not project.reports.exists()

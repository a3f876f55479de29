import numpy as np
import pytest

from pipeline.plots import confusion_matrices
from pipeline.plots.confusion_matrices import read_confusions

CELL, SEEDS = "scripts-b-max", (0, 1, 2)


def test_counts_and_recalls_agree_with_the_oracle(project):
    found = read_confusions(project.params, CELL)
    counts = np.zeros((3, 3), int)
    recalls = []
    for seed in SEEDS:
        with np.load(project.run(CELL, f"seed{seed}.npz")) as arrays:
            predicted = arrays["classes"][arrays["logits"].argmax(axis=1)]
            labels = arrays["labels"]
        for label, other in zip(labels, predicted, strict=True):
            counts[found.classes.index(label), found.classes.index(other)] += 1
        recalls.append([100 * np.mean(predicted[labels == name] == name) for name in found.classes])
    np.testing.assert_array_equal(found.counts, counts)
    np.testing.assert_allclose(found.recalls, recalls)
    np.testing.assert_allclose(found.percent.sum(axis=1), 100)
    assert found.accuracy == pytest.approx(100 * counts.trace() / counts.sum())


def test_centuries_stand_in_their_order(project):
    centuries = np.array(["13", "17-on", "to-12"])

    def rename(arrays):
        arrays["labels"] = centuries[np.searchsorted(arrays["classes"], arrays["labels"])]
        arrays["classes"] = centuries

    before = read_confusions(project.params, CELL)
    for seed in SEEDS:
        project.edit_arrays(CELL, f"seed{seed}.npz", rename)
    found = read_confusions(project.params, CELL)
    assert found.classes == ("to-12", "13", "17-on")
    order = [2, 0, 1]
    np.testing.assert_array_equal(found.counts, before.counts[np.ix_(order, order)])
    np.testing.assert_array_equal(found.recalls, before.recalls[:, order])


def test_a_class_without_pages_has_no_recall(project):
    def without_the_last(arrays):
        kept = arrays["labels"] != arrays["classes"][2]
        arrays |= {name: arrays[name][kept] for name in ("logits", "labels", "files")}

    for seed in SEEDS:
        project.edit_arrays(CELL, f"seed{seed}.npz", without_the_last)
    found = read_confusions(project.params, CELL)
    assert np.isnan(found.percent[2]).all()
    panel = confusion_matrices.Panel("a title", (found,))
    assert len(confusion_matrices.draw([panel]).subfigs) == 1


def test_average_stands_beside_dgmp(project):
    rows = confusion_matrices.figure(project.params).subfigs
    assert [row.get_suptitle()[:3] for row in rows] == ["(a)", "(b)"]
    for row in rows:
        assert [axes.get_title().split(": ")[0] for axes in row.axes] == [
            *("Avg", "DGMP, λ = 5000", "recall of each class"),
        ]
    # The numbers of the first matrix, but for those below a percent.
    percent = read_confusions(project.params, "scripts-a-avg").percent
    shown = [text.get_text() for text in rows[0].axes[0].texts]
    assert shown == [f"{value:.0f}" for value in percent.ravel() if value >= 1]

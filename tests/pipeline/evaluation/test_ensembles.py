import numpy as np
import pandas as pd
import pytest

from pipeline import evaluate
from pipeline.evaluation.ensembles import combine_seeds
from pipeline.evaluation.results import read_results


def test_smoke(scored):
    rows = pd.read_csv(scored.data / "evaluate" / "ensembles.csv")
    assert list(rows) == ["cell", "models", "weighted", "unweighted", "majority"]
    cells = [name for name, cell in scored.params.cells.items() if cell.task != "writers"]
    assert rows["cell"].tolist() == cells
    assert set(rows["models"]) == {3}
    scores, pages = combine_seeds(scored.params, "scripts-a-max")
    found = read_results(scored.params)["scripts-a-max", "ensemble"]
    assert found.mean == pytest.approx(scores["weighted"], abs=1e-6)
    assert found.mean == pytest.approx(100 * (pages["weighted"] == pages["label"]).mean(), abs=1e-6)
    assert (found.sd, found.runs) == (None, 3)


def test_agrees_with_the_oracle(project):
    project.edit_run("scripts-b-avg", 1, validation_score=900.0)
    total, votes = 0, 0
    for seed in project.params.active.scripts_b.seeds:
        with np.load(project.run("scripts-b-avg", f"seed{seed}.npz")) as arrays:
            labels, classes = arrays["labels"], arrays["classes"]
            probabilities = np.exp(arrays["logits"])
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        total = total + (900.0 if seed == 1 else 70.0 + seed) * probabilities
        votes = votes + np.eye(3)[probabilities.argmax(axis=1)]
    expected = classes[total.argmax(axis=1)]
    scores, pages = combine_seeds(project.params, "scripts-b-avg")
    assert pages["weighted"].tolist() == expected.tolist() != pages["unweighted"].tolist()
    assert scores["weighted"] == pytest.approx(100 * np.mean(expected == labels))
    decided = votes.max(axis=1) > 1  # no ties among three votes
    right = classes[votes.argmax(axis=1)] == labels
    correct = round(scores["majority"] / 100 * len(labels))
    assert abs(correct - (right & decided).sum()) <= len(labels) - decided.sum()


def test_a_run_without_validation_has_no_weight(project):
    project.edit_run("scripts-a-max", 2, validation_score=None)
    with pytest.raises(ValueError, match=r"scripts-a-max/runs\.json: seed 2 has no validation_"):
        evaluate.main()
    assert not (project.data / "evaluate").exists()

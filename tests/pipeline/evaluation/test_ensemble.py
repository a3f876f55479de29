import csv

import numpy as np
import pytest

from pipeline import ensemble
from pipeline.evaluation import results


def test_smoke(project):
    ensemble.main()
    with (project.data / "ensemble" / "scores.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert list(rows[0]) == ["cell", "models", "weighted", "unweighted", "majority"]
    assert [row["cell"] for row in rows] == [
        name for name, cell in project.params.cells.items() if cell.task != "writers"
    ]
    assert {row["models"] for row in rows} == {"3"}


def test_agrees_with_the_oracle(project):
    folder = project.data / "train" / "scripts-b-avg"
    project.edit_run("scripts-b-avg", 1, validation_score=5.0)
    total, votes = 0, 0
    for seed in project.params.active.scripts_b.seeds:
        with np.load(folder / f"seed{seed}.npz") as arrays:
            labels, classes = arrays["labels"], arrays["classes"]
            probabilities = np.exp(arrays["logits"])
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        total = total + (5.0 if seed == 1 else 70.0 + seed) * probabilities
        votes = votes + np.eye(3)[probabilities.argmax(axis=1)]
    expected = 100 * np.mean(classes[total.argmax(axis=1)] == labels)
    cell = project.params.cells["scripts-b-avg"]
    scores, _ = ensemble.combine_seeds("scripts-b-avg", cell, project.params)
    assert scores["weighted"].accuracy == pytest.approx(expected)
    decided = votes.max(axis=1) > 1  # no ties among three votes
    right = classes[votes.argmax(axis=1)] == labels
    tied = len(labels) - decided.sum()
    correct = round(scores["majority"].accuracy / 100 * len(labels))
    assert abs(correct - (right & decided).sum()) <= tied


def test_written_scores_are_read_back(project):
    ensemble.main()
    cell = project.params.cells["scripts-a-max"]
    scores, _ = ensemble.combine_seeds("scripts-a-max", cell, project.params)
    found = results.read_ensembles(project.params)["scripts-a-max"]
    assert found == pytest.approx(scores["weighted"].accuracy, abs=1e-6)


def test_stale_scores_are_refused(project):
    with pytest.raises(ValueError, match=r"scores\.csv is missing: run `dvc repro ensemble`"):
        results.read_ensembles(project.params)
    ensemble.main()
    params = project.set("profiles.scribes.scripts_b.seeds", [0, 1])
    with pytest.raises(ValueError, match="no ensemble of 2 models for cell scripts-b-avg"):
        results.read_ensembles(params)


def test_missing_weights_and_runs(project):
    project.edit_run("scripts-a-max", 2, validation_score=None)
    with pytest.raises(ValueError, match=r"scripts-a-max/runs\.json: seed 2 has no validation_"):
        ensemble.main()
    project.edit_run("scripts-a-max", 2, validation_score=80.0)
    (project.data / "train" / "scripts-b-max" / "seed1.npz").unlink()
    with pytest.raises(ValueError, match=r"seed1\.npz is missing: run `dvc repro train@scripts-b"):
        ensemble.main()
    assert not (project.data / "ensemble").exists()


def test_models_of_other_pages_are_refused(project):
    file = project.data / "train" / "scripts-b-max" / "seed1.npz"
    with np.load(file) as archive:
        arrays = dict(archive)
    arrays["classes"] = arrays["classes"][::-1]
    np.savez(file, **arrays)
    with pytest.raises(ValueError, match="different test pages"):
        ensemble.main()


def test_scores_are_written_with_unix_line_ends(project):
    ensemble.main()
    assert b"\r" not in (project.data / "ensemble" / "scores.csv").read_bytes()

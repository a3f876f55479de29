import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dgmp.metrics import evaluate_classification, evaluate_retrieval
from pipeline import evaluate
from pipeline.evaluation.measure import compare_distances, measure, score_file
from pipeline.evaluation.results import SCORE_COLUMNS, read_scored_pages, read_scores


def test_smoke(scored):
    folder, params = scored.data / "evaluate", scored.params
    names = ["distances", "ensemble_pages", "ensembles", "pages", "scores"]
    names += ["system_pages", "systems"]
    assert sorted(file.stem for file in folder.glob("*.csv")) == names
    assert not any(b"\r" in file.read_bytes() for file in folder.iterdir())
    scores = read_scores(params)
    assert list(scores) == SCORE_COLUMNS
    trained = [
        (name, seed)
        for name, cell in params.cells.items()
        for seed in params.active.schedule(cell.task).seeds
    ]
    untrained = [(name, 0) for name in params.untrained]
    rows = zip(scores["cell"], scores["seed"], strict=True)
    assert list(rows) == trained + untrained
    assert scores["trained"].tolist() == [True] * len(trained) + [False] * len(untrained)
    first = (folder / "scores.csv").read_text(encoding="utf-8").splitlines()[1].split(",")
    assert first[:5] == ["writers-avg-m01", "writers", "avg", "0.100000", "0"]
    assert first[-2:] == ["True", "Avg"]


def test_scores_and_pages_are_those_of_dgmp(scored):
    scores, pages = read_scores(scored.params), read_scored_pages(scored.params)
    rows = scores.set_index(["cell", "seed"])
    row = rows.loc[("writers-max-m02", 1)]
    own = pages[(pages["cell"] == "writers-max-m02") & (pages["seed"] == "1")]
    with np.load(scored.run("writers-max-m02", "seed1.npz")) as arrays:
        ranked = evaluate_retrieval(arrays["descriptors"], arrays["labels"])
        assert own["file"].tolist() == arrays["files"].tolist()
    assert row["mAP"] == pytest.approx(ranked.mean_average_precision, abs=1e-6)
    assert row["top1"] == pytest.approx(ranked.top1, abs=1e-6)
    assert (row["margin"], row["best_epoch"], row["validation_score"]) == (0.2, 4, 71)
    assert np.isnan(row["accuracy"])
    np.testing.assert_allclose(own["average_precision"], ranked.average_precision, atol=1e-9)
    assert (own["top1"] == ranked.top1_hits).all()
    row = rows.loc[("scripts-b-max", 2)]
    own = pages[(pages["cell"] == "scripts-b-max") & (pages["seed"] == "2")]
    with np.load(scored.run("scripts-b-max", "seed2.npz")) as arrays:
        found = evaluate_classification(arrays["logits"], arrays["labels"], arrays["classes"])
        assert own["predicted"].tolist() == arrays["classes"][found.predictions].tolist()
    assert row["accuracy"] == pytest.approx(found.accuracy, abs=1e-6)
    assert np.isnan(row["mAP"])
    assert np.isnan(row["margin"])
    assert own["average_precision"].isna().all()


@pytest.mark.parametrize(
    ("name", "task", "wanted"),
    [
        ("writers-avg-m01", "writers", ["mAP", "top1"]),
        ("scripts-a-avg", "scripts_a", ["accuracy"]),
    ],
)
def test_score_of_one_file(project, name, task, wanted):
    assert list(score_file(project.run(name, "seed0.npz"), task)) == wanted


def test_labels_that_look_like_numbers_or_gaps_stay_text(project):
    def rename(arrays):
        for name in ("labels", "classes"):
            arrays[name] = np.array(["NA", "01", "nan"])[
                np.unique(arrays[name], return_inverse=True)[1]
            ]

    for seed in (0, 1, 2):
        project.edit_arrays("scripts-a-avg", f"seed{seed}.npz", rename)
    evaluate.main()
    pages = read_scored_pages(project.params)
    assert set(pages.loc[pages["cell"] == "scripts-a-avg", "label"]) == {"NA", "01", "nan"}


def test_only_seeds_of_params_count(project):
    scores, _ = measure(project.set("profiles.scribes.scripts_a.seeds", [2, 0]))
    assert scores.loc[scores["cell"] == "scripts-a-avg", "seed"].tolist() == [2, 0]


@pytest.mark.parametrize("score", [None, float("nan"), float("-inf")])
def test_collapse_and_a_missing_validation_are_carried(project, score):
    project.edit_run("writers-max-m05", 1, validation_score=score, collapsed=True)
    scores, _ = measure(project.params)
    for marked in (scores["collapsed"], scores["validation_score"].isna()):
        assert scores.loc[marked, ["cell", "seed"]].values.tolist() == [["writers-max-m05", 1]]


def test_scores_that_cannot_be_computed_name_the_file(project):
    def diverge(arrays):
        arrays["logits"][5] = np.nan

    project.edit_arrays("scripts-a-max", "seed0.npz", diverge)
    with pytest.raises(ValueError, match=r"scripts-a-max/seed0\.npz: a logit of page 5 is not"):
        evaluate.main()
    assert not (project.data / "evaluate").exists()


def test_the_stages_after_training_do_not_load_torch():
    modules = ["evaluate", "compare", "tables", "metrics"]
    code = "import sys, importlib, json\n" + "".join(
        f"importlib.import_module('pipeline.{name}')\n" for name in modules
    )
    code += "print(json.dumps('torch' in sys.modules))"
    root = Path(evaluate.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert json.loads(result.stdout) is False


def test_writers_are_ranked_by_either_distance(scored):
    found = pd.read_csv(scored.data / "evaluate" / "distances.csv").set_index(["cell", "seed"])
    cells = [name for name, cell in scored.params.cells.items() if cell.task == "writers"]
    assert found.index.tolist() == [(cell, seed) for cell in cells for seed in (0, 1)]
    row = found.loc[("writers-lse-m01", 1)]
    with np.load(scored.run("writers-lse-m01", "seed1.npz")) as arrays:
        for distance in ("sqeuclidean", "cosine"):
            ranked = evaluate_retrieval(arrays["descriptors"], arrays["labels"], distance=distance)
            assert row[f"mAP_{distance}"] == pytest.approx(ranked.mean_average_precision)
            assert row[f"top1_{distance}"] == pytest.approx(ranked.top1)
    assert row["mAP_cosine"] != row["mAP_sqeuclidean"]
    # The setting decides which of them is in scores.csv.
    before = read_scores(scored.params).dropna(subset=["mAP"])
    after, _ = measure(scored.set("profiles.scribes.writers.distance", "cosine"))
    after = after[(after["task"] == "writers") & after["trained"]]
    np.testing.assert_allclose(after["mAP"], found["mAP_cosine"], atol=1e-6)
    np.testing.assert_allclose(before["mAP"][: len(found)], found["mAP_sqeuclidean"], atol=1e-6)


def test_a_descriptor_of_zeros_has_no_cosine(project):
    def edit(arrays):
        arrays["descriptors"][3] = 0

    project.edit_arrays("writers-avg-m01", "seed0.npz", edit)
    row = compare_distances(project.params).iloc[0]
    assert row["mAP_sqeuclidean"] > 0
    assert np.isnan(row["mAP_cosine"])
    evaluate.main()

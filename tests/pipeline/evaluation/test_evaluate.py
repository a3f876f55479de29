import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dgmp.metrics import evaluate_classification, evaluate_retrieval
from pipeline import evaluate
from pipeline.evaluation import scored_runs


def rows(file):
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_smoke(project):
    evaluate.main()
    scores = rows(project.data / "evaluate" / "scores.csv")
    assert list(scores[0]) == [
        "cell",
        "task",
        "pooling",
        "margin",
        "seed",
        "mAP",
        "top1",
        "accuracy",
        "validation_score",
        "best_epoch",
        "collapsed",
        "soft_top5",
        "soft_top10",
        "hard_top2",
        "hard_top3",
        "hard_top4",
        "precision_at4",
        "balanced_accuracy",
    ]
    expected = [
        (name, str(seed))
        for name, cell in project.params.cells.items()
        for seed in project.params.active.schedule(cell.task).seeds
    ]
    assert [(row["cell"], row["seed"]) for row in scores] == expected
    untrained = rows(project.data / "evaluate" / "untrained.csv")
    assert [row["cell"] for row in untrained] == list(project.params.untrained)
    assert not list(project.data.rglob("*.part"))


def test_scores_are_those_of_dgmp(project):
    evaluate.main()
    found = {
        (row["cell"], row["seed"]): row for row in rows(project.data / "evaluate" / "scores.csv")
    }
    with np.load(project.data / "train" / "writers-max-m02" / "seed1.npz") as arrays:
        writers = evaluate_retrieval(arrays["descriptors"], arrays["labels"])
    with np.load(project.data / "train" / "scripts-b-max" / "seed2.npz") as arrays:
        scripts = evaluate_classification(arrays["logits"], arrays["labels"], arrays["classes"])
    row = found["writers-max-m02", "1"]
    assert float(row["mAP"]) == pytest.approx(writers.mean_average_precision, abs=1e-6)
    assert float(row["top1"]) == pytest.approx(writers.top1, abs=1e-6)
    assert (row["accuracy"], row["margin"], row["best_epoch"]) == ("", "0.200000", "4")
    row = found["scripts-b-max", "2"]
    assert float(row["accuracy"]) == pytest.approx(scripts.accuracy, abs=1e-6)
    assert (row["mAP"], row["margin"], float(row["validation_score"])) == ("", "", 72)


def test_score_of_one_file(project):
    file = project.data / "train" / "writers-avg-m01" / "seed0.npz"
    assert evaluate.score(file, "writers").keys() == {"mAP", "top1"}
    file = project.data / "train" / "scripts-a-avg" / "seed0.npz"
    assert evaluate.score(file, "scripts_a").keys() == {"accuracy"}


def test_written_rows_are_read_back(project):
    runs = [run for run, _ in evaluate.measure(project.params, project.params.cells)]
    file = Path("scores.csv")
    scored_runs.write_runs(file, runs)
    again = scored_runs.read_runs(file, project.params.cells, project.params)
    assert [one.cell for one in again] == [one.cell for one in runs]
    assert again[0].mAP == pytest.approx(runs[0].mAP, abs=1e-6)
    assert again[0].collapsed is False


def test_only_seeds_of_params_count(project):
    params = project.set("profiles.scribes.scripts_a.seeds", [2, 0])
    runs = [run for run, _ in evaluate.measure(params, params.cells)]
    assert [one.seed for one in runs if one.cell == "scripts-a-avg"] == [2, 0]


def test_collapse_is_carried(project):
    project.edit_run("writers-max-m05", 1, collapsed=True)
    runs = [run for run, _ in evaluate.measure(project.params, project.params.cells)]
    assert [(one.cell, one.seed) for one in runs if one.collapsed] == [("writers-max-m05", 1)]


@pytest.mark.parametrize("score", [None, float("nan"), float("-inf")])
def test_a_run_without_validation(project, score):
    project.edit_run("writers-max-m05", 1, validation_score=score)
    runs = [run for run, _ in evaluate.measure(project.params, project.params.cells)]
    missing = [(one.cell, one.seed) for one in runs if one.validation_score is None]
    assert missing == [("writers-max-m05", 1)]


def damage(folder, what):
    file = folder / "seed1.npz"
    if what == "missing":
        file.unlink()
    elif what == "cut short":
        file.write_bytes(file.read_bytes()[:300])
    elif what == "not an archive":
        file.write_text("nothing")
    elif what == "other arrays":
        np.savez(file, labels=np.array(["a"]), files=np.array(["b"]))
    elif what == "objects":
        np.savez(
            file,
            labels=np.array(["a", None]),
            files=np.array(["b"]),
            descriptors=np.zeros((2, 2)),
        )


@pytest.mark.parametrize(
    "what", ["missing", "cut short", "not an archive", "other arrays", "objects"]
)
def test_damaged_predictions_are_named_with_the_remedy(project, what):
    damage(project.data / "train" / "writers-avg-m02", what)
    with pytest.raises(ValueError, match=r"writers-avg-m02/seed1\.npz") as error:
        evaluate.main()
    assert "dvc repro train@writers-avg-m02" in str(error.value)
    assert not (project.data / "evaluate").exists()


def test_missing_runs_are_named_with_the_remedy(project):
    project.set("profiles.scribes.scripts_a.seeds", [0, 7])
    with pytest.raises(ValueError, match=r"runs\.json has no run of seed 7: run `dvc repro train@"):
        evaluate.main()
    (project.data / "untrained" / "writers-avg-untrained" / "runs.json").unlink()
    project.set("profiles.scribes.scripts_a.seeds", [0])
    with pytest.raises(ValueError, match=r"runs\.json is missing: run `dvc repro untrained`"):
        evaluate.main()


def test_damaged_facts(project):
    (project.data / "train" / "writers-avg-m01" / "runs.json").write_text('{"seed": 0}')
    with pytest.raises(ValueError, match=r"runs\.json is not a list of runs"):
        evaluate.main()


@pytest.mark.parametrize("name", ["writers-lse-m01", "writers-avg-untrained"])
def test_runs_on_other_pages_are_refused(project, name):
    folder = project.data / ("train" if name in project.params.cells else "untrained") / name
    with np.load(folder / "seed0.npz") as archive:
        arrays = dict(archive)
    arrays["files"] = arrays["files"][::-1]
    np.savez(folder / "seed0.npz", **arrays)
    with pytest.raises(ValueError, match="were predicted on different test pages") as error:
        evaluate.main()
    assert f"{name}/seed0.npz" in str(error.value)
    assert not (project.data / "evaluate").exists()


def test_scores_that_cannot_be_computed_name_the_file(project):
    file = project.data / "train" / "scripts-a-max" / "seed0.npz"
    with np.load(file) as archive:
        arrays = dict(archive)
    arrays["logits"][5] = np.nan
    np.savez(file, **arrays)
    with pytest.raises(ValueError, match=r"scripts-a-max/seed0\.npz: a logit of page 5 is not"):
        evaluate.score(file, "scripts_a")


def test_stale_rows_are_refused(project):
    file = project.data / "evaluate" / "scores.csv"
    with pytest.raises(ValueError, match=r"scores\.csv is missing: run `dvc repro evaluate`"):
        scored_runs.read_runs(file, project.params.cells, project.params)
    evaluate.main()
    text = file.read_text()
    file.write_text(text.replace("writers-avg-m05,writers,avg,", "writers-avg-m05,writers,max,"))
    with pytest.raises(
        ValueError, match=r"measured as writers, max.*params\.yaml says writers, avg"
    ):
        scored_runs.read_runs(file, project.params.cells, project.params)
    file.write_text("\n".join(line for line in text.split("\n") if "scripts-b-max" not in line))
    with pytest.raises(ValueError, match="no row for cell scripts-b-max, seed 0"):
        scored_runs.read_runs(file, project.params.cells, project.params)
    file.write_text("cell,seed\nwriters-avg-m01,0\n")
    with pytest.raises(ValueError, match="is damaged"):
        scored_runs.read_runs(file, project.params.cells, project.params)


def test_rows_of_runs_not_in_params_are_ignored(project):
    evaluate.main()
    file = project.data / "evaluate" / "scores.csv"
    before = scored_runs.read_runs(file, project.params.cells, project.params)
    file.write_text(file.read_text() + "writers-avg-m01,writers,avg,0.1,99,1,1,,50,1,False\n")
    assert scored_runs.read_runs(file, project.params.cells, project.params) == before


def test_the_stages_after_training_do_not_load_torch():
    modules = ["evaluate", "ensemble", "compare", "tables", "metrics", "figures"]
    code = "import sys, importlib, json\n" + "".join(
        f"importlib.import_module('pipeline.{name}')\n" for name in modules
    )
    code += "print(json.dumps('torch' in sys.modules))"
    root = Path(evaluate.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert json.loads(result.stdout) is False


def test_writers_are_ranked_by_either_distance(project):
    evaluate.main()
    found = rows(project.data / "evaluate" / "distances.csv")
    cells = [name for name, cell in project.params.cells.items() if cell.task == "writers"]
    assert [(row["cell"], row["seed"]) for row in found] == [(c, s) for c in cells for s in "01"]
    with np.load(project.data / "train" / "writers-lse-m01" / "seed1.npz") as arrays:
        expected = {
            distance: evaluate_retrieval(arrays["descriptors"], arrays["labels"], distance=distance)
            for distance in ("sqeuclidean", "cosine")
        }
    row = next(r for r in found if (r["cell"], r["seed"]) == ("writers-lse-m01", "1"))
    for distance, scores in expected.items():
        assert float(row[f"mAP_{distance}"]) == pytest.approx(scores.mean_average_precision)
        assert float(row[f"top1_{distance}"]) == pytest.approx(scores.top1)
    assert row["mAP_cosine"] != row["mAP_sqeuclidean"]


def test_the_distance_of_the_settings_decides(project):
    by_length = [run for run, _ in evaluate.measure(project.params, project.params.cells)]
    params = project.set("profiles.scribes.writers.distance", "cosine")
    by_angle = [run for run, _ in evaluate.measure(params, params.cells)]
    compared = evaluate.compare_distances(params)
    writers = [one for one in by_angle if one.task == "writers"]
    assert [f"{one.mAP:.6f}" for one in writers] == [row["mAP_cosine"] for row in compared]
    assert writers != [one for one in by_length if one.task == "writers"]


def test_a_descriptor_of_zeros_has_no_cosine(project):
    def edit(arrays):
        arrays["descriptors"][3] = 0

    project.edit_arrays("writers-avg-m01", "seed0.npz", edit)
    row = evaluate.compare_distances(project.params)[0]
    assert "mAP_sqeuclidean" in row
    assert "mAP_cosine" not in row
    evaluate.main()

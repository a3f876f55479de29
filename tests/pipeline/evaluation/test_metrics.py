import json
from pathlib import Path

import pytest

from dgmp.metrics import evaluate_retrieval
from pipeline import evaluate, metrics
from pipeline.evaluation.pooling_names import pooling_label
from pipeline.evaluation.predictions import read_predictions
from pipeline.evaluation.results import read_results


def written():
    metrics.main()
    return json.loads(Path("reports/scribes/metrics.json").read_text(encoding="utf-8"))


def test_smoke(scored):
    found, params = written(), scored.params
    assert list(found) == ["variant", "table1", "table2", "table3", "table4"]
    for table, cells in params.tables:
        assert list(found[table]) == list(cells)
    assert list(found["table3"]["scripts-a-avg"]) == ["accuracy", "accuracy_sd", "ensemble"]
    assert list(found["table1"]["writers-avg-m01"]) == ["mAP", "mAP_sd", "top1", "top1_sd"]
    steps = found["table4"]["sift-gmp"]
    assert list(steps) == ["raw", "whitened", "esvm", "reranked"]
    assert steps["esvm"]["mAP"] == round(read_results(params)["sift-gmp/esvm", "mAP"].mean, 2)
    expected = read_results(params)["scripts-b-max", "accuracy"]
    assert found["table3"]["scripts-b-max"]["accuracy"] == round(expected.mean, 2)
    assert found["table3"]["scripts-b-max"]["accuracy_sd"] == round(expected.sd, 2)


def test_the_variant_is_scored_here(scored):
    variant = written()["variant"]
    arrays = read_predictions(scored.data / "variant" / "seed0.npz", "writers")
    ranked = evaluate_retrieval(arrays["descriptors"], arrays["labels"])
    assert variant == {
        "task": "writers",
        "pooling": pooling_label(scored.params.pooling),
        "mAP": round(ranked.mean_average_precision, 2),
        "top1": round(ranked.top1, 2),
        "seed": 0,
        "best_epoch": 3,
        "validation_score": 51.23,
        "collapsed": False,
    }


def test_one_run_has_no_deviation_and_collapsed_ones_are_counted(project):
    project.set("profiles.scribes.writers.seeds", [1])
    project.edit_run("writers-max-m01", 1, collapsed=True)
    evaluate.main()
    found = written()
    assert list(found["table1"]["writers-avg-m01"]) == ["mAP", "top1"]
    for table in ("table1", "table2"):
        assert found[table]["writers-max-m01"]["collapsed_runs"] == 1
    assert "collapsed_runs" not in found["table1"]["writers-max-m02"]


def test_a_missing_file_of_the_variant_is_named(scored):
    (scored.data / "variant" / "seed0.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"variant/seed0\.npz"):
        metrics.main()

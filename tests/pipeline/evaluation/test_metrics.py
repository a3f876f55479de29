import json
from pathlib import Path
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import ensemble, evaluate, metrics
from pipeline.evaluation import pooling_names as labels
from pipeline.evaluation import results
from pipeline.settings.cells import Pooling


def written():
    evaluate.main()
    ensemble.main()
    metrics.main()
    return json.loads(Path("reports/scribes/metrics.json").read_text(encoding="utf-8"))


def test_smoke(project):
    found = written()
    assert list(found) == ["variant", "table1", "table2", "table3"]
    assert found["variant"]["mAP"] == 51.23
    assert found["variant"]["pooling"] == labels.pooling_label(project.params.pooling)
    for table, cells in project.params.tables:
        assert list(found[table]) == list(cells)
    assert found["table3"]["scripts-a-avg"].keys() == {"accuracy", "accuracy_sd", "ensemble"}
    assert found["table1"]["writers-avg-m01"].keys() == {"mAP", "mAP_sd", "top1", "top1_sd"}


def test_agrees_with_the_oracle(project):
    found = written()
    runs = [run for run, _ in evaluate.measure(project.params, project.params.cells)]
    values = [one.accuracy for one in runs if one.cell == "scripts-b-max"]
    assert found["table3"]["scripts-b-max"]["accuracy"] == round(mean(values), 2)
    assert found["table3"]["scripts-b-max"]["accuracy_sd"] == round(stdev(values), 2)


def test_one_run_has_no_deviation(project):
    project.set("profiles.scribes.writers.seeds", [1])
    found = written()
    assert found["table1"]["writers-avg-m01"].keys() == {"mAP", "top1"}


def test_collapsed_runs_are_counted(project):
    project.edit_run("writers-max-m01", 0, collapsed=True)
    found = written()
    assert found["table1"]["writers-max-m01"]["collapsed_runs"] == 1
    assert found["table2"]["writers-max-m01"]["collapsed_runs"] == 1
    assert "collapsed_runs" not in found["table1"]["writers-max-m02"]


def test_missing_or_damaged_variant(project):
    written()
    file = project.data / "variant" / "scores.json"
    for text, message in (("{", "is damaged"), ("[]", "must hold a mapping")):
        file.write_text(text)
        with pytest.raises(ValueError, match=rf"variant/scores\.json {message}"):
            metrics.main()
    file.unlink()
    with pytest.raises(ValueError, match=r"scores\.json is missing: run `dvc repro variant`"):
        metrics.main()


def test_missing_scores(project):
    with pytest.raises(ValueError, match=r"evaluate/scores\.csv is missing"):
        metrics.main()
    written()
    found = results.read_results(project.params)
    with pytest.raises(ValueError, match="cell writers-avg-m01: only 0 of 2 runs have accuracy"):
        found.summarize("writers-avg-m01", "accuracy")
    with pytest.raises(ValueError, match="cell writers-avg-m01: only 0 of 2 runs have ensemble"):
        found.summarize("writers-avg-m01", "ensemble")


@pytest.mark.parametrize(
    ("value", "label"),
    [(1, "1"), (100, "100"), (500, "500"), (1000, "10³"), (5000, "5000"), (1e12, "10¹²")],
)
def test_labels_of_lambda(value, label):
    pooling = Pooling.model_validate({"name": "dgmp", "lambda": value})
    assert labels.pooling_label(pooling) == f"DGMP, λ = {label}"


@given(st.floats(1e-6, 1e9))
def test_every_lambda_has_a_label(value):
    assert labels.pooling_label(Pooling.model_validate({"name": "dgmp", "lambda": value}))


def test_labels_of_all_poolings_differ(project):
    names = [labels.pooling_label(pooling) for pooling in project.params.poolings.values()]
    assert len(set(names)) == len(names)

"""Pooling names, summaries of the runs, the untrained network and the majority class."""

from statistics import mean, stdev

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.measure import measure
from pipeline.evaluation.pooling_names import pooling_label
from pipeline.evaluation.results import (
    majority_class_rate,
    read_results,
    read_scores,
    untrained_beside_trained,
)
from pipeline.shared.settings.cells import Pooling


def test_summaries_agree_with_the_oracle(scored):
    scores, _ = measure(scored.params)
    results = read_results(scored.params)
    for cell, score in (("writers-max-m02", "hard_top2"), ("scripts-b-max", "accuracy")):
        values = scores.loc[scores["cell"] == cell, score].tolist()
        found = results[cell, score]
        assert found.mean == pytest.approx(mean(values), abs=1e-6)
        assert found.sd == pytest.approx(stdev(values), abs=1e-6)
        assert (found.runs, found.collapsed) == (len(values), 0)
    assert ("writers-max-m02", "accuracy") not in results
    assert results["writers-avg-untrained", "mAP"].sd is None


def test_the_untrained_network_stands_beside_the_trained_mean(scored):
    scores = read_scores(scored.params)
    rows = untrained_beside_trained(scores).set_index("cell")
    assert rows.index.tolist() == list(scored.params.untrained)
    row = rows.loc["writers-dgmp-1k-untrained"]
    values = scores.loc[scores["cell"] == "writers-dgmp-1k-m01", "mAP"]
    assert row["trained_cell"] == "writers-dgmp-1k-m01"
    assert row["trained_mAP"] == pytest.approx(values.mean())
    assert row["trained_runs"] == 2
    assert np.isnan(row["trained_accuracy"])
    row = rows.loc["scripts-b-avg-untrained"]
    assert row["trained_cell"] == "scripts-b-avg"
    assert row["accuracy"] < row["trained_accuracy"]
    # Without a cell of the same pooling the trained columns stay empty.
    scores.loc[~scores["trained"] & (scores["pooling"] == "avg"), "pooling"] = "gem"
    row = untrained_beside_trained(scores).iloc[0]
    assert row["mAP"] > 0
    assert row[["trained_cell", "trained_mAP", "trained_runs"]].isna().all()


def test_the_majority_class_counts_each_page_once():
    pages = pd.DataFrame({"file": list("abcabc"), "label": ["x", "x", "y"] * 2})
    assert majority_class_rate(pages) == pytest.approx(200 / 3)


@pytest.mark.parametrize(
    ("value", "name"),
    [(1, "1"), (100, "100"), (500, "500"), (1000, "10³"), (5000, "5000"), (1e12, "10¹²")],
)
def test_names_of_lambda(value, name):
    pooling = Pooling.model_validate({"name": "dgmp", "lambda": value})
    assert pooling_label(pooling) == f"DGMP, λ = {name}"


@given(st.floats(1e-6, 1e9))
def test_every_lambda_has_a_name(value):
    assert pooling_label(Pooling.model_validate({"name": "dgmp", "lambda": value}))


def test_names_of_all_poolings_differ(project):
    # Poolings that differ in the multiplier alone have one name.
    poolings = {(one.name, one.value): one for one in project.params.poolings.values()}
    assert len({pooling_label(one) for one in poolings.values()}) == len(poolings)

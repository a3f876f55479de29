import json

import numpy as np
import pytest

from pipeline.plots import lambda_by_epoch as lambdas


def test_rows_agree_with_the_oracle(project):
    lambdas.main()
    rows = json.loads((project.reports / "lambda.json").read_text(encoding="utf-8"))
    cells = [
        name
        for name, cell in project.params.cells.items()
        if project.params.poolings[cell.pooling].name == "dgmp"
    ]
    assert len(rows) == len(cells) * 6
    row = next(
        row
        for row in rows
        if (row["pooling"], row["set"], row["epoch"])
        == ("DGMP, λ = 10³", "made-up scribes, margin 0.2", 3)
    )
    values = [1000 * (1 + 0.01 * 3 * (1 + seed)) for seed in (0, 1)]
    mean, sd = np.mean(values), np.std(values, ddof=1)
    assert row["lambda"] == pytest.approx(mean)
    assert row["low"] == pytest.approx(mean - sd)
    assert row["high"] == pytest.approx(mean + sd)
    # A curve is told by its data and pooling.
    keys = [(row["set"], row["pooling"], row["epoch"]) for row in rows]
    assert len(keys) == len(set(keys))


def test_one_seed_has_no_band(project):
    project.set("profiles.scribes.writers.seeds", [1])
    cell = project.params.cells["writers-dgmp-1-m01"]
    rows = lambdas.rows_of(project.params, "writers-dgmp-1-m01", cell)
    assert all(row["low"] == row["lambda"] == row["high"] for row in rows)


def test_errors_name_the_file_and_the_remedy(project):
    project.run("writers-dgmp-1-m05", "curves.csv").unlink()
    remedy = "run `dvc repro train@writers-dgmp-1-m05`"
    with pytest.raises(ValueError, match=rf"m05/curves\.csv is missing: {remedy}"):
        lambdas.main()
    assert not project.reports.exists()

import numpy as np
import pytest

from pipeline.plots.lambda_by_epoch import rows


def test_rows_agree_with_the_oracle(project):
    found = rows(project.params)
    kinds = [project.params.poolings[cell.pooling].name for cell in project.params.cells.values()]
    assert len(found) == kinds.count("dgmp") * 6
    wanted = ("DGMP, λ = 10³", "made-up scribes, margin 0.2", 3)
    row = next(row for row in found if (row["pooling"], row["set"], row["epoch"]) == wanted)
    values = [1000 * (1 + 0.01 * 3 * (1 + seed)) for seed in (0, 1)]
    mean, sd = np.mean(values), np.std(values, ddof=1)
    assert (row["lambda"], row["low"], row["high"]) == pytest.approx((mean, mean - sd, mean + sd))
    # A curve is told by its data and pooling.
    assert len({(row["set"], row["pooling"], row["epoch"]) for row in found}) == len(found)

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from pipeline.systems.script_types import in_span


@pytest.mark.parametrize("width", [5, 200])  # fewer and more dimensions than pages
def test_an_svm_in_the_span_of_its_pages_is_that_of_the_whole_rows(width):
    rng = np.random.default_rng(0)
    labels = np.arange(24) % 3
    rows = {
        "train": rng.normal(size=(16, width)) + labels[:16, None],
        "val": rng.normal(size=(8, width)),
        "test": rng.normal(size=(9, width)),
    }
    inside = in_span(rows, ("train", "val"))
    assert inside["test"].shape == (9, min(width, 24))

    def decided(of):
        svm = LinearSVC(tol=1e-10, max_iter=1_000_000, random_state=0)
        return svm.fit(of["train"], labels[:16]).decision_function(of["test"])

    np.testing.assert_allclose(decided(inside), decided(rows), atol=1e-6)

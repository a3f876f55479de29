"""The edge filter on real pages beside the authors' filter, scikit-image's Canny on each patch."""

from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import edge_filter
from tests.benchmarks.edge_filter import AUTHORS, OURS, SETTINGS

PAGES = Path(__file__).parents[4] / "shared" / "data" / "manuscripts" / "images"


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    if not PAGES.is_dir():
        pytest.skip(f"no real pages in {PAGES.parents[1].name}/manuscripts beside the repository")
    return np.concatenate(
        [edge_filter.edge_counts(file) for file in sorted(PAGES.iterdir())[7::40]]
    )


def test_oracle_decisions_are_the_authors(counts: np.ndarray) -> None:
    assert len(counts) > 500
    assert edge_filter.agreement(counts) >= 0.98


def test_oracle_blank_patches_are_rejected_as_by_the_authors(counts: np.ndarray) -> None:
    """Most patches are written on: to accept all would be right in 98 % of the cases as well."""
    theirs = counts[:, AUTHORS] <= SETTINGS.threshold
    ours = counts[:, OURS] <= SETTINGS.threshold
    assert theirs.sum() > 10
    assert (theirs & ours).sum() >= 0.9 * (theirs | ours).sum()


def test_oracle_numbers_of_edge_pixels_are_near_the_authors(counts: np.ndarray) -> None:
    written = counts[counts[:, AUTHORS] > SETTINGS.threshold]
    ratios = written[:, OURS] / written[:, AUTHORS]
    assert np.median(ratios) == pytest.approx(1.043, abs=0.01)

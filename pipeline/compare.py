"""Stage compare: scores page by page -> intervals, and tests of each pooling against average.

Reads evaluate/{scores,pages,ensemble_pages}.csv and the page lists in acquire/ below
data/<profile>/, writes data/<profile>/compare/comparisons.csv: a row for each cell and score.
"""

from __future__ import annotations

import logging

from pipeline.evaluation.comparison_tests import compare, read_samples
from pipeline.shared.files import write_csv
from pipeline.shared.settings.params import load_params
from pipeline.shared.stage import run

log = logging.getLogger(__name__)


def main() -> None:
    params = load_params()
    found = compare(params, read_samples(params))
    file = params.data / "compare" / "comparisons.csv"
    write_csv(file, found)
    log.info("%s: %d scores", file, len(found))


if __name__ == "__main__":
    run(main)

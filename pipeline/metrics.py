"""Stage metrics: all scores of the tables and of the variant -> the one DVC metrics file.

Reads evaluate/{scores,ensembles}.csv and variant/{seed<k>.npz,runs.json} below data/<profile>/,
writes reports/<profile>/metrics.json, in percent with two decimals.
"""

from __future__ import annotations

import json
import logging

from pipeline.evaluation.summary import summarize_all
from pipeline.shared.files import write_text
from pipeline.shared.settings.params import load_params
from pipeline.shared.stage import run

log = logging.getLogger(__name__)


def main() -> None:
    params = load_params()
    file = params.reports / "metrics.json"
    write_text(file, json.dumps(summarize_all(params), indent=2, ensure_ascii=False) + "\n")
    log.info("all scores: %s", file)


if __name__ == "__main__":
    run(main)

"""Stage evaluate: predictions of every run that params.yaml lists -> scores, and ensembles.

Reads data/<profile>/train/<cell>/ and untrained/<name>/ (seed<k>.npz and runs.json), and
encode/<system>/. Writes to data/<profile>/evaluate/: scores.csv, a row a run; pages.csv, a row for
each test page of each run; distances.csv, the writers' scores by either distance of page
descriptors; ensembles.csv, all seeds of a script cell as one classifier, and ensemble_pages.csv;
systems.csv and system_pages.csv, the same of the systems; and lineage.json, what the scores of each
cell were made of.
"""

from __future__ import annotations

import json
import logging

from dgmp.files import whole_folder
from pipeline.evaluation.ensembles import combine_cells
from pipeline.evaluation.lineage import lineage
from pipeline.evaluation.measure import compare_distances, measure
from pipeline.evaluation.systems import measure_systems
from pipeline.shared.files import write_csv, write_text
from pipeline.shared.settings.params import load_params
from pipeline.shared.stage import run

log = logging.getLogger(__name__)


def main() -> None:
    params = load_params()
    scores, pages = measure(params)
    ensembles, ensemble_pages = combine_cells(params)
    systems, system_pages = measure_systems(params)
    output = params.data / "evaluate"
    with whole_folder(output) as folder:
        write_csv(folder / "scores.csv", scores)
        write_csv(folder / "pages.csv", pages, decimals=9)
        write_csv(folder / "distances.csv", compare_distances(params))
        write_csv(folder / "ensembles.csv", ensembles)
        write_csv(folder / "ensemble_pages.csv", ensemble_pages)
        write_csv(folder / "systems.csv", systems)
        write_csv(folder / "system_pages.csv", system_pages, decimals=9)
        cells = {name: lineage(params, name) for name in params.cells}
        write_text(folder / "lineage.json", json.dumps(cells, ensure_ascii=False, indent=1) + "\n")
    log.info(
        "%s: %d runs, %d ensembles, %d systems",
        output,
        len(scores),
        len(ensembles),
        systems["system"].nunique(),
    )


if __name__ == "__main__":
    run(main)

"""Stage tables: scores of all runs, beside the paper's -> Tables I to III.

Reads evaluate/ and compare/comparisons.csv below data/<profile>/, and data/published.yaml. Writes
to reports/<profile>/tables/: table1|table2|table3.{csv,md,tex}; tables.json, which holds all three
and the lineage of each cell; and untrained.csv, the scores of the starting network.
"""

from __future__ import annotations

import json
import logging

from dgmp.files import whole_folder
from pipeline.reporting.build import build_tables, record, untrained_rows
from pipeline.reporting.formats import to_csv, to_latex, to_markdown
from pipeline.reporting.table import to_screen
from pipeline.shared.files import write_csv, write_text
from pipeline.shared.settings.params import load_params
from pipeline.shared.stage import run

log = logging.getLogger(__name__)


def main() -> None:
    params = load_params()
    tables = build_tables(params)
    with whole_folder(params.reports / "tables") as folder:
        for table in tables:
            for ending, render in (("csv", to_csv), ("md", to_markdown), ("tex", to_latex)):
                write_text(folder / f"{table.name}.{ending}", render(table))
            if table.name != "table1":
                log.info("%s", to_screen(table))
        text = json.dumps(record(params, tables), ensure_ascii=False, indent=1)
        write_text(folder / "tables.json", text + "\n")
        write_csv(folder / "untrained.csv", untrained_rows(params), decimals=4)


if __name__ == "__main__":
    run(main)

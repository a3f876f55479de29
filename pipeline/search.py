"""Stage search: which pages of somebody's scans are by the same hand.

    python -m pipeline.search [NAME] [--pages PAGES]

PAGES is a folder, an image, a PDF, a pages.csv, or a IIIF manifest by file or address; without it
those of searches.NAME in params.yaml, else synthetic codices. Writes to reports/scans/NAME/:
index.html, hits.csv, groups.csv, distances.npz, and index/, which `make who` asks.
"""

import argparse
from pathlib import Path

from pipeline.scans.report_name import name_of
from pipeline.scans.search import search_scans
from pipeline.shared.settings.params import load_params
from pipeline.shared.stage import run

DATA, REPORTS = Path("data/scans"), Path("reports/scans")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make search", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("name", nargs="?", help="of the report; that of the pages if left out")
    parser.add_argument("--pages", help="folder, file or address")
    arguments = parser.parse_args()
    params = load_params()
    changes = {} if arguments.pages is None else {"pages": arguments.pages}
    name = arguments.name or name_of(arguments.pages)
    search_scans(params.searched(name, **changes), data=DATA, report=REPORTS / name)


if __name__ == "__main__":
    run(main)

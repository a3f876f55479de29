"""Stage report: tables, figures and records -> one page that needs no network.

Reads what the stage tables reads, the page lists in data/<profile>/acquire/ and the figures in
reports/<profile>/figures/; writes reports/<profile>/index.html, and provenance.json with the
commit, the machine and the time of every run. These records lie beside the finished runs and are
looked up when the page is made: DVC does not know them as inputs.
"""

from __future__ import annotations

import json
import logging

from pipeline.reporting.page import collect, provenance, render
from pipeline.shared.files import write_text
from pipeline.shared.settings.params import load_params
from pipeline.shared.stage import run

log = logging.getLogger(__name__)


def main() -> None:
    params = load_params()
    content = collect(params)
    page = render(content)
    text = json.dumps(provenance(content), ensure_ascii=False, indent=1)
    write_text(params.reports / "provenance.json", text + "\n")
    write_text(params.reports / "index.html", page)
    log.info("%s: %d kB", params.reports / "index.html", len(page.encode()) // 1000)


if __name__ == "__main__":
    run(main)

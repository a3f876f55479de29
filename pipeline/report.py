"""Stage report: tables, figures and records -> one page that needs no network.

Reads what the stage tables reads, the page lists in data/<profile>/acquire/ and the figures in
reports/<profile>/; writes reports/<profile>/index.html, and provenance.json with the commit, the
machine and the time of every run. Those are looked up beside the finished runs when the page is
rendered: they are no inputs that DVC knows of, and tables.json, which is the same whenever the same
is run, does without them.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.evaluation.pooling_names import pooling_label
from pipeline.evaluation.results import read_results, trained_cell
from pipeline.evaluation.scored_runs import read_runs
from pipeline.reporting.deviations_from_paper import set_against_paper
from pipeline.reporting.embedded_figures import read_pictures
from pipeline.reporting.findings import comparison_rows, findings
from pipeline.reporting.lineage import origins
from pipeline.reporting.machines import duration, keep, summarize
from pipeline.reporting.secondary_scores import further_scores
from pipeline.reporting.table import HEADS, rows
from pipeline.settings.base import Task
from pipeline.settings.params import Params, load_params
from pipeline.shared.files import write_text
from pipeline.shared.page_lists import SPLITS, read_pages
from pipeline.shared.stage import run
from pipeline.tables import PUBLISHED, build_tables
from pipeline.training.run_store import read_records

TEMPLATES = Path(__file__).parent / "templates"
TASKS: dict[Task, str] = {
    "writers": "writer retrieval",
    "scripts_a": "script types (a)",
    "scripts_b": "script types (b)",
}

log = logging.getLogger(__name__)


def render(content: dict[str, Any]) -> str:
    """The page as HTML."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(content)


def collect(params: Params, published: dict[str, Any]) -> dict[str, Any]:
    """What the page tells, by the names of its template.

    Raises:
        ValueError: an input is missing or damaged; the message names it and the remedy.
    """
    tables = build_tables(params, published)
    shown = list(dict.fromkeys(name for _, names in params.tables for name in names))
    cells = {name: _cell(params, name) for name in shown}
    records = read_records(params)
    made = [records.get(one["weights"]) for cell in cells.values() for one in cell["runs"]]
    return {
        "params": params,
        "profile": params.active,
        "source": params.active.acquire.source,
        "tables": tables,
        "HEADS": HEADS,
        "rows": rows,
        "comparison_rows": comparison_rows,
        "further": further_scores(params),
        "started": _started(params),
        "best_epochs": _best_epochs(cells),
        "findings": [one for table in tables for one in findings(table)],
        "command": _command(params),
        "pages": [_pages(params, task, title) for task, title in TASKS.items()],
        "cells": cells,
        "records": records,
        "made_by": summarize(made),
        "duration": duration,
        "differences": set_against_paper(params.active, params.profiles.paper),
        "pictures": read_pictures(params.reports),
    }


def _cell(params: Params, name: str) -> dict[str, Any]:
    cell = params.cells[name]
    return origins(params, name) | {
        "pooling": pooling_label(params.poolings[cell.pooling]),
        "margin": cell.margin,
        "tables": [table.removeprefix("table") for table, names in params.tables if name in names],
        "command": f"{_command(params)} train@{name}",
    }


def _started(params: Params) -> list[tuple[str, float, float]]:
    """Writers: poolings, their mAP without fine-tuning, and the mean of the runs with it."""
    untrained = read_runs(params.data / "evaluate" / "untrained.csv", params.untrained, params)
    results = read_results(params)
    found = []
    for one in untrained:
        trained = trained_cell(params, one)
        if one.mAP is not None and trained:
            label = pooling_label(params.poolings[one.pooling])
            found.append((label, one.mAP, results.summarize(trained, "mAP").mean))
    return found


def _best_epochs(cells: dict[str, Any]) -> tuple[int, int] | None:
    """The earliest and the latest epoch whose network was tested, over all runs on writers."""
    runs = [run for cell in cells.values() if cell["task"] == "writers" for run in cell["runs"]]
    found = [run["best_epoch"] for run in runs if run["best_epoch"]]
    return (min(found), max(found)) if found else None


def _command(params: Params) -> str:
    protocol = f" -S protocol={params.protocol}" if params.profile == "paper" else ""
    return f"dvc exp run -S profile={params.profile}{protocol}"


def _pages(params: Params, task: Task, title: str) -> dict[str, Any]:
    pages = read_pages(params.data / "acquire" / f"{task}.csv")
    counts = Counter(page.split for page in pages)
    labels = {split: {page.label for page in pages if page.split == split} for split in SPLITS}
    return {
        "task": title,
        "data": getattr(params.active.titles, task),
        "label": "writers" if task == "writers" else "classes",
        "splits": [(counts[split], len(labels[split])) for split in SPLITS],
    }


def provenance(content: dict[str, Any]) -> dict[str, Any]:
    """The records of all runs by cell and seed; null for a run without one."""
    return {
        name: {
            str(one["seed"]): keep(content["records"].get(one["weights"])) for one in cell["runs"]
        }
        for name, cell in content["cells"].items()
    }


def main() -> None:
    params = load_params()
    published = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))
    content = collect(params, published)
    text = json.dumps(provenance(content), ensure_ascii=False, indent=1)
    write_text(params.reports / "provenance.json", text + "\n")
    page = render(content)
    write_text(params.reports / "index.html", page)
    log.info("%s: %d kB", params.reports / "index.html", len(page.encode()) // 1000)


if __name__ == "__main__":
    run(main)

"""The report: tables, figures and records of the runs in one page."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.evaluation.results import read_scores, untrained_beside_trained
from pipeline.reporting.build import build_tables, read_lineage
from pipeline.reporting.deviations_from_paper import deviations_from_paper
from pipeline.reporting.embedded_figures import read_figures
from pipeline.reporting.findings import comparison_rows, findings
from pipeline.reporting.machines import duration, keep, summarize
from pipeline.reporting.secondary_scores import secondary_scores
from pipeline.reporting.table import HEADS, rows
from pipeline.shared.page_lists import SPLITS, read_pages
from pipeline.shared.provenance import read_records
from pipeline.shared.settings.base import Task
from pipeline.shared.settings.params import Params

TEMPLATES = Path(__file__).parent / "templates"
TASKS: dict[Task, str] = {
    "writers": "writer retrieval",
    "scripts_a": "script types (a)",
    "scripts_b": "script types (b)",
}
ROMAN = {"table1": "I", "table2": "II", "table3": "III", "table4": "IV"}


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


def collect(params: Params) -> dict[str, Any]:
    """What the page shows, by the names of its template.

    Raises:
        ValueError: a figure cannot be read, or a table in params.yaml cannot be shown.
    """
    tables = build_tables(params)
    scores = read_scores(params)
    cells = {name: _cell(params, scores, name, one) for name, one in read_lineage(params).items()}
    records = read_records(params)
    of_runs = [records.get(one["weights"]) for cell in cells.values() for one in cell["runs"]]
    untrained = untrained_beside_trained(scores).dropna(subset=["mAP", "trained_mAP"])
    epochs = scores.loc[scores["cell"].isin(cells) & (scores["task"] == "writers"), "best_epoch"]
    return {
        "params": params,
        "profile": params.active,
        "source": params.active.acquire.source,
        "tables": tables,
        "HEADS": HEADS,
        "rows": rows,
        "comparison_rows": comparison_rows,
        "secondary": secondary_scores(params),
        "untrained": untrained[["pooling_name", "mAP", "trained_mAP"]].to_numpy().tolist(),
        "best_epochs": sorted({epochs.min(), epochs.max()}) if epochs.notna().any() else [],
        "findings": [one for table in tables for one in findings(table)],
        "command": _command(params),
        "pages": [_pages(params, task, title) for task, title in TASKS.items()],
        "cells": cells,
        "records": records,
        "machines": summarize(of_runs),
        "duration": duration,
        "deviations": deviations_from_paper(params.active, params.profiles.paper),
        "figures": read_figures(params.reports / "figures"),
    }


def provenance(content: dict[str, Any]) -> dict[str, Any]:
    """The records of all runs by cell and seed; null for a run without one."""
    return {
        name: {
            str(one["seed"]): keep(content["records"].get(one["weights"])) for one in cell["runs"]
        }
        for name, cell in content["cells"].items()
    }


def _cell(
    params: Params, scores: pd.DataFrame, name: str, lineage: dict[str, Any]
) -> dict[str, Any]:
    first = scores[scores["cell"] == name].iloc[0]
    return lineage | {
        "pooling": first["pooling_name"],
        "margin": first["margin"] if first["task"] == "writers" else None,
        "shown in": [
            *(ROMAN[table] for table, names in params.tables if name in names),
            *(["Figure 5"] if name in params.sweep else []),
        ],
        "command": f"{_command(params)} train@{name}",
    }


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

"""Tables I to IV from the scores, and what else the stage tables writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from pipeline.evaluation.comparison_tests import Comparison, read_comparisons
from pipeline.evaluation.results import (
    MAIN_SCORES,
    Results,
    Score,
    Summary,
    majority_class_rate,
    read_results,
    read_scored_pages,
    read_scores,
    untrained_beside_trained,
)
from pipeline.evaluation.systems import STEP_NAMES, read_systems, system_cell
from pipeline.reporting.formats import to_json
from pipeline.reporting.notes import ladder_notes, notes
from pipeline.reporting.table import MAJORITY, Column, Entry, Line, Section, Table
from pipeline.shared.settings.params import Params
from pipeline.shared.settings.systems import STEPS

PUBLISHED = Path("data/published.yaml")
WRITERS, SCRIPTS = ("writers",), ("scripts_a", "scripts_b")


@dataclass(frozen=True)
class Measured:
    """What the tables show: scores of the stages evaluate and compare, and the published ones."""

    runs: pd.DataFrame
    results: Results
    comparisons: dict[tuple[str, str], Comparison]
    published: dict[str, Any]

    def entry(
        self, params: Params, table: str, cell: str, score: Score, paper: float | None = None
    ) -> Entry:
        """The score of a cell beside the paper's, which is looked up if it is not given."""
        compared = self.comparisons[cell, score]
        differs = compared.p_holm is not None and compared.p_holm < 1 - params.compare.confidence
        paper = self.published["cells"].get(table, {}).get(cell, {}).get(score, paper)
        return Entry(self.results[cell, score], paper, compared, differs, cell)

    def cells(self, names: tuple[str, ...]) -> pd.DataFrame:
        """Task, pooling, its name, margin and number of runs of cells, in this order."""
        return (
            self.runs.groupby("cell")
            .first()
            .assign(runs=self.runs["cell"].value_counts())
            .loc[list(names)]
        )

    def title(self, params: Params, task: str) -> str:
        """Name of a task's data, and the seeds of its runs."""
        seeds = self.runs.loc[self.runs["task"] == task, "seed"].unique()
        return f"{getattr(params.active.titles, task)} (seeds {', '.join(map(str, seeds))})"


def read_measured(params: Params) -> Measured:
    """Read what the stages evaluate and compare wrote, and data/published.yaml."""
    scores = read_scores(params)
    return Measured(
        scores[scores["trained"]],
        read_results(params),
        read_comparisons(params),
        yaml.safe_load(PUBLISHED.read_text(encoding="utf-8")),
    )


def build_tables(params: Params) -> list[Table]:
    """Tables I to III of the cells that params.yaml lists, and Table IV of its systems.

    Raises:
        ValueError: a table in params.yaml is empty, or lists a cell that it cannot show.
    """
    measured = read_measured(params)
    return [
        _margins(params, measured),
        _poolings(params, measured, "table2", WRITERS, ("mAP", "top1")),
        _poolings(params, measured, "table3", SCRIPTS, ("accuracy", "ensemble")),
        _ladder(params, measured),
    ]


def _margins(params: Params, measured: Measured) -> Table:
    """Table I: a line for each pooling, a group of columns for each margin."""
    cells = _cells(params, measured, "table1", WRITERS)
    margins = cells["margin"].unique()
    scores: tuple[Score, ...] = ("mAP", "top1")
    columns = tuple(Column(score, f"margin {m:g}") for m in margins for score in scores)
    lines = []
    for _, own in cells.groupby("pooling", sort=False):
        at = {margin: str(name) for name, margin in own["margin"].items()}
        entries = tuple(
            measured.entry(params, "table1", at[m], score) if m in at else Entry()
            for m in margins
            for score in scores
        )
        lines.append(Line(own["pooling_name"].iloc[0], entries, int(own["runs"].iloc[0])))
    sections = (Section(measured.title(params, "writers"), tuple(lines)),)
    caption = "Impact of the triplet loss margin on writer retrieval"
    table = Table("table1", "Table I", caption, columns, sections, decimals=2)
    return notes(params, measured.published, table, WRITERS)


def _poolings(
    params: Params,
    measured: Measured,
    name: str,
    tasks: tuple[str, ...],
    scores: tuple[Score, ...],
) -> Table:
    """Tables II and III: for each listed task a line for each cell, then the cited systems."""
    cells = _cells(params, measured, name, tasks)
    tasks = tuple(task for task in tasks if task in set(cells["task"]))
    margins = sorted(cells["margin"].dropna().unique())
    sections = []
    for letter, task in zip("ab", tasks, strict=False):
        lines = []
        for cell, one in cells[cells["task"] == task].iterrows():
            entries = tuple(measured.entry(params, name, str(cell), score) for score in scores)
            at = f", margin {one['margin']:g}" if len(margins) > 1 else ""
            lines.append(Line(one["pooling_name"] + at, entries, int(one["runs"])))
        if task != "writers":
            pages = read_scored_pages(params)
            of_task = measured.runs.loc[measured.runs["task"] == task, "cell"]
            rate = majority_class_rate(pages[pages["cell"].isin(of_task)])
            lines.append(Line(MAJORITY, (Entry(Summary(rate, None, 0, 0)),) * len(scores)))
        systems = list(_systems(params, measured, name, task, scores))
        part = f"({letter}) " if len(tasks) > 1 else ""
        title = part + measured.title(params, task)
        if task == "writers":
            sections += [
                Section(title, tuple(lines)),
                Section(f"{params.active.titles.writers}, other systems", tuple(systems)),
            ]
        else:
            sections.append(Section(title, (*lines, *systems)))
    if name == "table2":
        number, caption = "Table II", "Global pooling methods for writer retrieval"
        caption += f", margin {margins[0]:g}" if len(margins) == 1 else ""
    else:
        number, caption = "Table III", "Classification accuracy, mean of the runs and "
        caption += "ensemble (Ens)"
    columns = tuple(Column(score) for score in scores)
    table = Table(name, number, caption, columns, tuple(sections), decimals=1)
    return notes(params, measured.published, table, tasks)


def _systems(
    params: Params, measured: Measured, table: str, task: str, scores: tuple[Score, ...]
) -> Iterator[Line]:
    """Systems run here, under the name of what they are a run of; then those only cited."""
    cited = {system["name"]: system for system in measured.published["cited"][task]}
    for name, system in params.tables.table4.items():
        step = system.table2 if task == "writers" else task
        if step is None or (system_cell(name, step), scores[0]) not in measured.results:
            continue
        cell = system_cell(name, step)
        paper = cited.pop(system.cited, {}) if system.cited else {}
        entries = tuple(
            measured.entry(params, table, cell, score, paper.get(score))
            if (cell, score) in measured.results
            else Entry()
            for score in scores
        )
        how = "linear SVM" if task != "writers" else STEP_NAMES[system.table2 or "raw"]
        label = f"{system.cited or system.title}, {how}"
        runs = measured.results[cell, scores[0]].runs
        yield Line(label, entries, runs, reference=paper.get("reference", ""))
    for system in cited.values():
        entries = tuple(Entry(paper=system.get(score)) for score in scores)
        yield Line(system["name"], entries, reference=system["reference"])


def _ladder(params: Params, measured: Measured) -> Table:
    """Table IV: a line for each system, a group of columns for each step of the chain."""
    if not params.tables.table4:
        raise ValueError("params.yaml: tables.table4 lists no system: list at least one")
    seconds = read_systems(params).groupby("cell")["seconds"].mean()
    scores: tuple[Score, ...] = ("mAP", "top1")
    lines = []
    for name, row in params.tables.table4.items():
        cells = [system_cell(name, step) for step in STEPS]
        entries = tuple(
            measured.entry(params, "table4", cell, score) for cell in cells for score in scores
        )
        runs = measured.results[cells[0], "mAP"].runs
        spent = float(seconds[cells[-1]])
        lines.append(Line(row.title, entries, runs, seconds=spent))
    columns = tuple(Column(score, STEP_NAMES[step]) for step in STEPS for score in scores)
    section = Section(params.active.titles.writers, tuple(lines))
    caption = "Systems of writer retrieval, step by step"
    table = Table("table4", "Table IV", caption, columns, (section,), 1, beside_paper=False)
    return ladder_notes(params, table)


def _cells(params: Params, measured: Measured, table: str, tasks: tuple[str, ...]) -> pd.DataFrame:
    listed = getattr(params.tables, table)
    if not listed:
        raise ValueError(f"params.yaml: tables.{table} lists no cell: list at least one")
    cells = measured.cells(listed)
    for name, task in cells["task"].items():
        if task not in tasks:
            raise ValueError(
                f"params.yaml: tables.{table}: {name} is of task {task}, but this table shows "
                f"{' and '.join(tasks)}"
            )
    twice = cells[cells.duplicated(["task", "pooling", "margin"], keep=False)]
    if len(twice):
        raise ValueError(
            f"params.yaml: tables.{table}: {' and '.join(twice.index[:2])} have the same task, "
            "pooling and margin, so that their rows would look alike: list one of them"
        )
    return cells


def untrained_rows(params: Params) -> pd.DataFrame:
    """The untrained rows beside the trained mean of the same task, pooling and margin."""
    rows = untrained_beside_trained(read_scores(params)).rename(columns={"cell": "name"})
    means = ["trained_cell", *(f"trained_{score}" for score in MAIN_SCORES), "trained_runs"]
    return rows[["name", "pooling", "task", *MAIN_SCORES, *means]]


def read_lineage(params: Params) -> dict[str, Any]:
    """What the cells of the tables and of Figure 5 were made of, in that order."""
    text = (params.data / "evaluate" / "lineage.json").read_text(encoding="utf-8")
    found = json.loads(text)
    listed = [*(name for _, names in params.tables for name in names), *params.sweep]
    return {name: found[name] for name in listed if name in found}


def record(params: Params, tables: list[Table]) -> dict[str, Any]:
    """The content of tables.json: the tables, and the lineage of the cells that they show."""
    return {
        "profile": params.profile,
        "protocol": params.protocol,
        "tables": {table.name: to_json(table) for table in tables},
        "cells": read_lineage(params),
    }

"""Stage tables: scores of all runs, beside the paper's -> Tables I to III and the baseline.

Reads evaluate/{scores,untrained}.csv, ensemble/scores.csv and compare/comparisons.csv below
data/<profile>/, train/<cell>/runs.json, and data/published.yaml. Writes
reports/<profile>/table1|table2|table3.{csv,md,tex}, tables.json, which holds all three and where
each cell comes from, and baseline.csv. All formats are rendered from one `Table`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from pipeline.evaluation.comparisons import Comparison, read_comparisons
from pipeline.evaluation.majority_class import largest_class
from pipeline.evaluation.pooling_names import pooling_label
from pipeline.evaluation.results import Results, Score, Summary, read_results, trained_cell
from pipeline.evaluation.scored_runs import read_runs
from pipeline.reporting.formats import to_csv, to_json, to_latex, to_markdown
from pipeline.reporting.lineage import origins
from pipeline.reporting.table import LARGEST_CLASS, Column, Entry, Line, Section, Table, to_screen
from pipeline.settings.base import Task
from pipeline.settings.cells import Cell
from pipeline.settings.params import Params, load_params
from pipeline.shared.files import csv_text, write_text
from pipeline.shared.stage import run

PUBLISHED = Path("data/published.yaml")

log = logging.getLogger(__name__)


def build_tables(params: Params, published: dict[str, Any]) -> list[Table]:
    """Tables I to III from the runs that params.yaml lists.

    Raises:
        RunError: naming the file that is missing or lacks a run.
        ValueError: if a table in params.yaml is empty, or lists a cell that it cannot show.
    """
    level = 1 - params.compare.confidence
    entry = partial(_entry, published, read_results(params), read_comparisons(params), level)
    scripts: tuple[Task, ...] = ("scripts_a", "scripts_b")
    return [
        _margins(params, published, entry),
        _comparison(params, published, entry, "table2", ("writers",), ("mAP", "top1")),
        _comparison(params, published, entry, "table3", scripts, ("accuracy", "ensemble")),
    ]


def _margins(params: Params, published: dict[str, Any], entry: Callable[..., Entry]) -> Table:
    """Table I: a line for each pooling, a group of columns for each margin."""
    cells = _cells(params, "table1", ("writers",))
    margins = list(dict.fromkeys(cell.margin for cell in cells.values()))
    columns = tuple(Column(score, f"margin {m:g}") for m in margins for score in ("mAP", "top1"))
    lines = []
    for pooling in dict.fromkeys(cell.pooling for cell in cells.values()):
        at = {cell.margin: name for name, cell in cells.items() if cell.pooling == pooling}
        entries = [
            entry("table1", at[margin], score) if margin in at else Entry()
            for margin in margins
            for score in ("mAP", "top1")
        ]
        label = pooling_label(params.poolings[pooling])
        lines.append(Line(label, tuple(entries), len(params.active.writers.seeds)))
    sections = (Section(_data(params, "writers"), tuple(lines)),)
    caption = "Impact of the triplet loss margin on writer retrieval"
    notes = _notes(params, published, columns, sections, ("writers",))
    return Table("table1", "Table I", caption, columns, sections, notes, decimals=2)


def _comparison(
    params: Params,
    published: dict[str, Any],
    entry: Callable[..., Entry],
    table: str,
    tasks: tuple[Task, ...],
    scores: tuple[Score, ...],
) -> Table:
    """Tables II and III: for each task a line for each cell, then the cited systems."""
    cells = _cells(params, table, tasks)
    margins = sorted({cell.margin for cell in cells.values() if cell.margin is not None})
    columns = tuple(Column(score) for score in scores)
    sections = []
    for letter, task in zip("ab", tasks, strict=False):
        lines = []
        for name in (name for name, cell in cells.items() if cell.task == task):
            entries = tuple(entry(table, name, score) for score in scores)
            label = pooling_label(params.poolings[cells[name].pooling])
            at = f", margin {cells[name].margin:g}" if len(margins) > 1 else ""
            lines.append(Line(label + at, entries, len(params.active.schedule(task).seeds)))
        if task != "writers":
            rate = Entry(Summary(largest_class(params, task), None, 0, 0))
            lines.append(Line(LARGEST_CLASS, (rate,) * len(scores)))
        for system in published["cited"][task]:
            entries = tuple(Entry(paper=system.get(score)) for score in scores)
            lines.append(Line(system["name"], entries, reference=system["reference"]))
        part = f"({letter}) " if len(tasks) > 1 else ""
        sections.append(Section(part + _data(params, task), tuple(lines)))
    if table == "table2":
        number, caption = "Table II", "Global pooling methods for writer retrieval"
        caption += f", margin {margins[0]:g}" if len(margins) == 1 else ""
    else:
        number, caption = "Table III", "Classification accuracy, mean of the runs and "
        caption += "ensemble (Ens)"
    notes = _notes(params, published, columns, sections, tasks)
    return Table(table, number, caption, columns, tuple(sections), notes, decimals=1)


def _cells(params: Params, table: str, tasks: tuple[Task, ...]) -> dict[str, Cell]:
    cells = {name: params.cells[name] for name in getattr(params.tables, table)}
    if not cells:
        raise ValueError(f"params.yaml: tables.{table} lists no cell: list at least one")
    seen: dict[tuple[Task, str, float | None], str] = {}
    for name, cell in cells.items():
        if cell.task not in tasks:
            raise ValueError(
                f"params.yaml: tables.{table}: {name} is of task {cell.task}, but this table "
                f"shows {' and '.join(tasks)}"
            )
        other = seen.setdefault((cell.task, cell.pooling, cell.margin), name)
        if other != name:
            raise ValueError(
                f"params.yaml: tables.{table}: {other} and {name} have the same task, pooling "
                f"and margin, so that readers could not tell them apart: list one of them"
            )
    return cells


def _entry(
    published: dict[str, Any],
    results: Results,
    comparisons: dict[tuple[str, str], Comparison],
    level: float,
    table: str,
    cell: str,
    score: Score,
) -> Entry:
    paper = published["cells"][table].get(cell, {}).get(score)
    comparison = comparisons[cell, score]
    differs = comparison.p_holm is not None and comparison.p_holm < level
    return Entry(results.summarize(cell, score), paper, comparison, differs, cell)


def _data(params: Params, task: Task) -> str:
    seeds = ", ".join(map(str, params.active.schedule(task).seeds))
    return f"{getattr(params.active.titles, task)} (seeds {seeds})"


def _notes(
    params: Params,
    published: dict[str, Any],
    columns: Sequence[Column],
    sections: Sequence[Section],
    tasks: Sequence[Task],
) -> tuple[str, ...]:
    data = " and ".join(published["data"][task] for task in tasks)
    own = "the data of this profile" if params.profile == "paper" else "not on this profile's data"
    notes = [
        "In percent: mean ± sample standard deviation over the runs where there are several; the "
        "best measured value of a column in bold.",
        f"‡ As printed in the paper, measured on {data}: {own}.",
    ]
    entries = [entry for section in sections for line in section.lines for entry in line.entries]
    compared = [entry.comparison for entry in entries if entry.comparison]
    drawn = " and ".join(dict.fromkeys(one.drawn for one in compared))
    notes.append(
        f"In brackets: {params.compare.confidence:.0%} interval of the mean of these runs, over "
        f"{drawn} like those of the test set."
    )
    if any(one.baseline for one in compared):
        notes.append(
            f"* Differs from Avg on the same data and at the same margin: p < "
            f"{1 - params.compare.confidence:.2g} in a paired randomization test over {drawn}, "
            "Holm's correction for all poolings so compared; of the mean of these seeds, not of "
            "others."
        )
    if any(line.reference for section in sections for line in section.lines):
        notes.append("Cited: systems that the paper cites, with its values; not run here.")
    if any(column.score == "ensemble" for column in columns):
        notes.append(
            "Ens: one ensemble of all runs, softmax outputs weighted by validation accuracy."
        )
        notes.append(
            f"{LARGEST_CLASS}: the share of the test pages that have the most frequent label; what "
            "naming it for every page would reach."
        )
    return (*notes, *_collapses(columns, sections))


def _collapses(columns: Sequence[Column], sections: Sequence[Section]) -> Iterator[str]:
    """One note for each cell with collapsed runs, which stand in several columns."""
    for section in sections:
        for line in section.lines:
            found = {
                column.group: entry.measured
                for column, entry in zip(columns, line.entries, strict=True)
                if entry.measured and entry.measured.collapsed
            }
            for group, measured in found.items():
                data = section.title if len(sections) > 1 else ""
                where = ", ".join(part for part in (data, line.label, group) if part)
                yield (
                    f"† {where}: {measured.collapsed} of {measured.runs} runs collapsed (the loss "
                    f"stayed at the margin, all distances near zero); the mean is over all runs."
                )


def baseline(params: Params, results: Results) -> str:
    """The untrained rows as CSV, beside the trained mean of the same task, pooling and margin."""
    untrained = read_runs(params.data / "evaluate" / "untrained.csv", params.untrained, params)
    scores: tuple[Score, ...] = ("mAP", "top1", "accuracy")
    header = ["name", "pooling", "task", *scores, "trained_cell"]
    rows: list[list[Any]] = [[*header, *(f"trained_{score}" for score in scores), "trained_runs"]]
    for one in untrained:
        values = [getattr(one, score) for score in scores]
        trained = trained_cell(params, one)
        means: list[Any] = [None] * (len(scores) + 1)
        if trained:
            found = [
                None if value is None else results.summarize(trained, score)
                for score, value in zip(scores, values, strict=True)
            ]
            runs = [summary.runs for summary in found if summary]
            means = [*(summary and f"{summary.mean:.4f}" for summary in found), runs[0]]
        shown = [None if value is None else f"{value:.4f}" for value in values]
        rows.append([one.cell, one.pooling, one.task, *shown, trained or "", *means])
    return csv_text(rows)


def record(params: Params, tables: Sequence[Table]) -> dict[str, Any]:
    """The content of tables.json: the tables, and the origins of the cells that they show."""
    shown = {name: None for _, names in params.tables for name in names}
    return {
        "profile": params.profile,
        "protocol": params.protocol,
        "tables": {table.name: to_json(table) for table in tables},
        "cells": {name: origins(params, name) for name in shown},
    }


def main() -> None:
    params = load_params()
    published = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))
    tables = build_tables(params, published)
    for table in tables:
        for ending, render in (("csv", to_csv), ("md", to_markdown), ("tex", to_latex)):
            write_text(params.reports / f"{table.name}.{ending}", render(table))
        if table.name != "table1":
            log.info("%s", to_screen(table))
    text = json.dumps(record(params, tables), ensure_ascii=False, indent=1)
    write_text(params.reports / "tables.json", text + "\n")
    write_text(params.reports / "baseline.csv", baseline(params, read_results(params)))


if __name__ == "__main__":
    run(main)

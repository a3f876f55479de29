"""The notes below a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pipeline.reporting.table import MAJORITY, Table
from pipeline.shared.settings.params import Params


def notes(params: Params, published: dict[str, Any], table: Table, tasks: Sequence[str]) -> Table:
    """The table with its notes: what the numbers are, and what its signs mean."""
    data = " and ".join(published["data"][task] for task in tasks)
    own = "the data of this profile" if params.profile == "paper" else "not on this profile's data"
    confidence = params.compare.confidence
    lines = [line for section in table.sections for line in section.lines]
    compared = [e.comparison for line in lines for e in line.entries if e.comparison]
    systems = {e.cell: line.label for line in lines for e in line.entries if "/" in e.cell}
    pairs = dict.fromkeys(
        f"{systems[one.cell]} with {systems[one.baseline]}"
        for one in compared
        if one.cell in systems and one.baseline in systems
    )
    drawn = " and ".join(dict.fromkeys(one.drawn for one in compared))
    found = [
        "In percent. Several runs: mean ± sample standard deviation. Bold: the best measured value "
        "of a column.",
        f"‡ As printed in the paper, measured on {data}: {own}.",
        f"In brackets: {confidence:.0%} bootstrap interval of the mean of these runs, from "
        f"resampling the {drawn} of the test set.",
    ]
    if any(one.baseline for one in compared):
        found.append(
            f"* Significantly different from Avg on the same data and at the same margin: "
            f"p < {1 - confidence:.2g} in a paired randomization test over {drawn}, with Holm's "
            "correction for all poolings compared with this Avg. The test is of the mean of these "
            "seeds; it says nothing about other seeds."
        )
    if pairs:
        found.append(f"Systems are compared with another one instead: {'; '.join(pairs)}.")
    if any(line.reference for line in lines):
        found.append("Cited: systems and values that the paper cites; not run here.")
    if any(column.score == "ensemble" for column in table.columns):
        found.append(
            "Ens: one ensemble of all runs, softmax outputs weighted by validation accuracy."
        )
        found.append(
            f"{MAJORITY}: the accuracy of a classifier that gives every test page the most "
            "frequent class."
        )
    return replace(table, notes=(*found, *_collapses(table)))


def ladder_notes(params: Params, table: Table) -> Table:
    """Table IV with its notes."""
    confidence, chain = params.compare.confidence, params.chain
    rows = params.tables.table4
    baselines = {
        rows[name].title: rows[other].title
        for name, other in params.baselines.items()
        if name in rows and other in rows
    }
    compared = "; ".join(f"{name} with {other}" for name, other in baselines.items())
    found = (
        "In percent. Mean over the runs (vocabularies or networks of several seeds) ± sample "
        f"standard deviation; in brackets: {confidence:.0%} bootstrap interval over writers. Bold: "
        "the best value of a column.",
        "raw: the system's own metric. whitened: power norm, PCA whitening fitted on the training "
        f"pages, at most {chain.components} directions. E-SVM: one linear SVM a page against the "
        "training pages, which hold no test writer.",
        "re-ranked: transductive, each ranking uses the other test pages as well "
        f"(k = {chain.rerank.k}, gamma = {chain.rerank.gamma:g}).",
        f"* Significantly different from the system it is compared with (p < {1 - confidence:.2g}, "
        f"paired randomization test over writers, Holm's correction): {compared}.",
        "Without handwriting: what page statistics or the background alone tell of a page's "
        "writer; where all pages of a writer are in one codex, scores above chance are due to the "
        "codex, and part of the other systems' scores may be as well.",
        "seconds: of one run, encoding all pages and all four steps; local descriptors, features "
        "of the networks and their training are not in it.",
    )
    return replace(table, notes=found)


def _collapses(table: Table) -> Iterator[str]:
    """One note for each cell with collapsed runs, which stand in several columns."""
    for section in table.sections:
        for line in section.lines:
            found = {
                column.group: entry.measured
                for column, entry in zip(table.columns, line.entries, strict=True)
                if entry.measured and entry.measured.collapsed
            }
            for group, measured in found.items():
                data = section.title if len(table.sections) > 1 else ""
                where = ", ".join(part for part in (data, line.label, group) if part)
                yield (
                    f"† {where}: {measured.collapsed} of {measured.runs} runs collapsed (the loss "
                    f"stayed at the margin, all distances near zero); the mean is over all runs."
                )

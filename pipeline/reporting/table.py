"""One description of a table, whatever the format, and its cells as people read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from pipeline.evaluation.comparison_tests import Comparison
from pipeline.evaluation.results import Score, Summary

HEADS: dict[Score, str] = {"mAP": "mAP", "top1": "top-1", "accuracy": "mean", "ensemble": "Ens"}
ABSENT = "–"
MAJORITY = "Majority class"


class Column(NamedTuple):
    """A score (below a group heading): the measured values, and the paper's beside them."""

    score: Score
    group: str = ""


class Entry(NamedTuple):
    """A cell's score, the paper's, and how it compares with average pooling's."""

    measured: Summary | None = None
    paper: float | None = None
    comparison: Comparison | None = None
    differs: bool = False
    cell: str = ""

    @property
    def less_paper(self) -> float | None:
        """The measured mean less the paper's value, in percentage points."""
        if self.measured is None or self.paper is None:
            return None
        return self.measured.mean - self.paper


@dataclass(frozen=True)
class Line:
    """Scores of a pooling or, with a `reference`, of a cited system; one entry a column.

    Without `runs` nothing was trained: a cited system, or the majority class. With both, it is our
    run of a system that the paper cites.
    """

    label: str
    entries: tuple[Entry, ...]
    runs: int | None = None
    reference: str = ""
    seconds: float | None = None


@dataclass(frozen=True)
class Section:
    """Lines measured on the same data; the best of a column is sought among them."""

    title: str
    lines: tuple[Line, ...]

    def best(self, column: int, decimals: int) -> str:
        """The highest mean of a column as it is printed, so that equal ones are all marked."""
        trained = [line.entries[column] for line in self.lines if line.runs]
        means = [entry.measured.mean for entry in trained if entry.measured]
        return f"{max(means):.{decimals}f}" if means else ""


@dataclass(frozen=True)
class Table:
    """What a table shows, whatever the format."""

    name: str
    number: str
    caption: str
    columns: tuple[Column, ...]
    sections: tuple[Section, ...]
    decimals: int
    notes: tuple[str, ...] = ()
    beside_paper: bool = True

    @property
    def first(self) -> str:
        """The head of the lines' labels."""
        return "Pooling" if self.beside_paper else "System"

    @property
    def grouped(self) -> bool:
        """Whether a score stands below several groups."""
        return any(column.group for column in self.columns)


def stacked(table: Table) -> Table:
    """The table with its groups one below the other, a section each, for pages of little width."""
    if not table.grouped:
        return table
    groups = list(dict.fromkeys(column.group for column in table.columns))
    columns = tuple(Column(c.score) for c in table.columns if c.group == groups[0])
    sections = tuple(
        Section(f"{section.title}, {group}", tuple(_of_group(table, section, group)))
        for section in table.sections
        for group in groups
    )
    return replace(table, columns=columns, sections=sections)


def _of_group(table: Table, section: Section, group: str) -> Iterator[Line]:
    inside = [i for i, column in enumerate(table.columns) if column.group == group]
    for line in section.lines:
        entries = tuple(line.entries[i] for i in inside)
        if any(entry != Entry() for entry in entries):
            yield replace(line, entries=entries)


class Text(NamedTuple):
    """A cell as people read it; `detail` is smaller: an interval, a difference, a reference."""

    text: str
    bold: bool = False
    detail: str = ""


def rows(table: Table, section: Section) -> Iterator[list[Text]]:
    """Cells of a section's lines: label, then the measured value by column, then runs.

    The paper's value follows each measured one where the table stands beside the paper; otherwise
    the seconds that a line took stand before its runs.
    """
    for line in section.lines:
        cited = f"{'after' if line.runs else 'cited'}: {line.reference}" if line.reference else ""
        row = [Text(line.label, detail=cited)]
        for i, entry in enumerate(line.entries):
            best = section.best(i, table.decimals) if line.runs else None
            row.append(_measured(entry, best, table.decimals))
            if table.beside_paper:
                row.append(_paper(entry, table.decimals))
        if not table.beside_paper:
            row.append(Text(ABSENT if line.seconds is None else f"{line.seconds:.0f}"))
        yield [*row, Text(str(line.runs or ABSENT))]


def heads(table: Table) -> list[str]:
    """The heads of what `rows` gives, but for the first: scores, paper's values, seconds, runs."""
    paper = ["paper ‡"] if table.beside_paper else []
    scores = [head for column in table.columns for head in (HEADS[column.score], *paper)]
    return [*scores, *([] if table.beside_paper else ["seconds"]), "runs"]


def _measured(entry: Entry, best: str | None, decimals: int) -> Text:
    summary, compared = entry.measured, entry.comparison
    if summary is None:
        return Text(ABSENT)
    shown = f"{summary.mean:.{decimals}f}"
    spread = "" if summary.sd is None else f" ± {summary.sd:.{decimals}f}"
    marks = (" *" if entry.differs else "") + (" †" if summary.collapsed else "")
    # Intervals are several points wide: hundredths would tell nothing.
    interval = f"[{compared.low:.1f}, {compared.high:.1f}]" if compared else ""
    return Text(shown + spread + marks, bold=shown == best, detail=interval)


def _paper(entry: Entry, decimals: int) -> Text:
    if entry.paper is None:
        return Text(ABSENT)
    difference = entry.less_paper
    detail = "" if difference is None else signed(difference, decimals)
    return Text(f"{entry.paper:.{decimals}f}", detail=detail)


def signed(value: float, decimals: int = 1) -> str:
    """A difference with its sign.

    >>> signed(-1.25), signed(0.04)
    ('−1.2', '+0.0')
    """
    return f"{value:+.{decimals}f}".replace("-", "−")


def to_screen(table: Table) -> str:
    """The measured scores as plain text."""
    lines = [f"{table.number}: {table.caption}"]
    for section in table.sections:
        lines.append(section.title)
        for row in rows(table, section):
            own = range(1, len(row) - 1, 2 if table.beside_paper else 1)
            scores = " ".join(f"{row[i].text:>14}" for i in own)
            if row[-1].text != ABSENT:
                lines.append(f"  {row[0].text:<16}{scores}")
    return "\n".join(lines)

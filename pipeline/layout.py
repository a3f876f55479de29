"""One description of a table, and its rendering as CSV, Markdown, LaTeX and for the screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.compare import Comparison
from pipeline.evaluate import csv_text
from pipeline.metrics import Score, Summary

HEADS: dict[Score, str] = {"mAP": "mAP", "top1": "top-1", "accuracy": "Avg", "ensemble": "Ens"}
COMPARED = {
    "low": "low",
    "high": "high",
    "less Avg": "difference",
    "less Avg low": "difference_low",
    "less Avg high": "difference_high",
    "p": "p_holm",
}
ABSENT = "–"


class Column(NamedTuple):
    """A score (below a group heading): the measured values, and the paper's beside them."""

    score: Score
    group: str = ""


class Entry(NamedTuple):
    """A score, the paper's, and how it compares with average pooling's."""

    measured: Summary | None = None
    paper: float | None = None
    comparison: Comparison | None = None
    differs: bool = False


@dataclass(frozen=True)
class Line:
    """Scores of a pooling or, with a `reference`, of a cited system; one entry a column."""

    label: str
    entries: tuple[Entry, ...]
    runs: int | None = None
    reference: str = ""


@dataclass(frozen=True)
class Section:
    """Lines measured on the same data; the best of a column is sought among them."""

    title: str
    lines: tuple[Line, ...]

    def best(self, column: int, decimals: int) -> str:
        """The highest mean of a column as it is printed, so that equal ones are all marked."""
        means = [m.mean for line in self.lines if (m := line.entries[column].measured)]
        return f"{max(means):.{decimals}f}" if means else ""


@dataclass(frozen=True)
class Table:
    """What a table says, whatever the format."""

    name: str
    number: str
    caption: str
    columns: tuple[Column, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    decimals: int


class Text(NamedTuple):
    text: str
    bold: bool = False


def _rows(table: Table, section: Section) -> Iterator[list[Text]]:
    """Cells of a section's lines as people read them: label, measured and paper's values, runs."""
    for line in section.lines:
        label = f"{line.label} (cited: {line.reference})" if line.reference else line.label
        row = [Text(label)]
        for i, entry in enumerate(line.entries):
            row.append(_measured(entry, section.best(i, table.decimals), table.decimals))
            paper = entry.paper
            row.append(Text(ABSENT if paper is None else f"{paper:.{table.decimals}f}"))
        yield [*row, Text(str(line.runs or ABSENT))]


def _measured(entry: Entry, best: str, decimals: int) -> Text:
    summary = entry.measured
    if summary is None:
        return Text(ABSENT)
    shown = f"{summary.mean:.{decimals}f}"
    spread = "" if summary.sd is None else f" ± {summary.sd:.{decimals}f}"
    marks = (" *" if entry.differs else "") + (" †" if summary.collapsed else "")
    return Text(shown + spread + marks, bold=shown == best)


def to_csv(table: Table) -> str:
    """For machines: every number in a column of its own, empty where there is none."""
    header = ["data", "pooling", "reference", "runs"]
    for column in table.columns:
        name = " ".join(part for part in (column.score, column.group) if part)
        header += [name, *(f"{name} {part}" for part in ("sd", "paper", "collapsed", *COMPARED))]
    rows: list[list[Any]] = [header]
    for section in table.sections:
        for line in section.lines:
            row: list[Any] = [section.title, line.label, line.reference, line.runs]
            for entry in line.entries:
                measured = entry.measured
                if measured is None:
                    row += [None, None, entry.paper, None]
                else:
                    sd = None if measured.sd is None else f"{measured.sd:.4f}"
                    row += [f"{measured.mean:.4f}", sd, entry.paper, measured.collapsed]
                found = [getattr(entry.comparison, name, None) for name in COMPARED.values()]
                row += [None if value is None else f"{value:.4f}" for value in found]
            rows.append(row)
    return csv_text(rows)


def to_markdown(table: Table) -> str:
    """For GitHub, which knows no spanning headings: the group stands in each heading."""
    heads = [
        head
        for c in table.columns
        for head in (f"{HEADS[c.score]}, {c.group}" if c.group else HEADS[c.score], "paper ‡")
    ]
    lines = [f"# {table.number}: {table.caption}", ""]
    for section in table.sections:
        lines += [f"Measured on: {section.title}", ""]
        lines.append(f"| Pooling | {' | '.join(heads)} | runs |")
        lines.append("|:--" + "|--:" * (len(heads) + 1) + "|")
        for row in _rows(table, section):
            texts = [(markdown_escape(cell.text), cell.bold) for cell in row]
            lines.append(f"| {' | '.join(f'**{t}**' if bold else t for t, bold in texts)} |")
        lines.append("")
    return "\n".join(lines + [f"- {markdown_escape(note)}" for note in table.notes]) + "\n"


def markdown_escape(text: str) -> str:
    """Text whose stars and bars are no marks of emphasis and columns."""
    return text.replace("*", r"\*").replace("|", r"\|")


LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: "\\" + sign for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "†": r"\textsuperscript{\textdagger}",
    "‡": r"\textsuperscript{\textdaggerdbl}",
    "–": "--",
    "λ": r"$\lambda$",
    "α": r"$\alpha$",
    "ℓ": r"$\ell$",
    **{sign: rf"\textsuperscript{{{digit}}}" for digit, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
}


def latex_escape(text: str) -> str:
    """Text with LaTeX's special characters, and the signs used here, as commands."""
    return "".join(LATEX.get(sign, sign) for sign in text)


def to_latex(table: Table) -> str:
    r"""A table environment to \input; it needs the packages booktabs and graphicx."""
    width = 2 * len(table.columns) + 2
    heads = [head for c in table.columns for head in (HEADS[c.score], "paper ‡")]
    groups = list(dict.fromkeys(column.group for column in table.columns))
    lines = [
        rf"% {table.number}, needs \usepackage{{booktabs,graphicx}}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex_escape(table.caption)}}}",
        rf"\label{{tab:{table.name}}}",
        r"\resizebox{\linewidth}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * (width - 1)}}}",
        r"\toprule",
    ]
    if groups != [""]:
        span = (width - 2) // len(groups)
        spans = [rf"\multicolumn{{{span}}}{{c}}{{{latex_escape(group)}}}" for group in groups]
        rules = [
            rf"\cmidrule(lr){{{2 + i * span}-{1 + i * span + span}}}" for i in range(len(groups))
        ]
        lines += [f" & {' & '.join(spans)} & \\\\", "".join(rules)]
    lines.append(f"Pooling & {' & '.join(map(latex_escape, heads))} & runs \\\\")
    for section in table.sections:
        lines += [r"\midrule", rf"\multicolumn{{{width}}}{{l}}{{{latex_escape(section.title)}}} \\"]
        for row in _rows(table, section):
            texts = [
                rf"\textbf{{{latex_escape(cell.text)}}}" if cell.bold else latex_escape(cell.text)
                for cell in row
            ]
            lines.append(" & ".join(texts) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}}"]
    lines += [rf"\par\footnotesize {latex_escape(note)}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def to_screen(table: Table) -> str:
    lines = [f"{table.number}: {table.caption}"]
    for section in table.sections:
        lines.append(section.title)
        for row in _rows(table, section):
            scores = " ".join(f"{row[i].text:>14}" for i in range(1, len(row) - 1, 2))
            if row[-1].text != ABSENT:
                lines.append(f"  {row[0].text:<16}{scores}")
    return "\n".join(lines)

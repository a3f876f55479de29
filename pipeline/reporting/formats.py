"""A table's renderings: CSV and JSON for machines, Markdown for GitHub, LaTeX for print."""

from __future__ import annotations

from typing import Any

from pipeline.reporting.table import HEADS, Entry, Table, Text, rows, stacked
from pipeline.shared.files import csv_text

COMPARED = {
    "low": "low",
    "high": "high",
    "less Avg": "difference",
    "less Avg low": "difference_low",
    "less Avg high": "difference_high",
    "p": "p_holm",
}


def numbers(entry: Entry) -> dict[str, float | int | None]:
    """All numbers of an entry by name, in percent or percentage points; the mean has no name."""
    measured = entry.measured
    found: dict[str, float | int | None] = {
        "": None if measured is None else measured.mean,
        "sd": None if measured is None else measured.sd,
        "paper": entry.paper,
        "less paper": entry.less_paper,
        "collapsed": None if measured is None else measured.collapsed,
    }
    for name, field in COMPARED.items():
        found[name] = getattr(entry.comparison, field, None)
    return found


def to_csv(table: Table) -> str:
    """For machines: every number in a column of its own, empty where there is none."""
    header = ["data", "pooling", "reference", "runs"]
    for column in table.columns:
        parts = [column.score, column.group]
        header += [" ".join(filter(None, [*parts, name])) for name in numbers(Entry())]
    lines: list[list[Any]] = [header]
    for section in table.sections:
        for line in section.lines:
            row: list[Any] = [section.title, line.label, line.reference, line.runs]
            for entry in line.entries:
                for name, value in numbers(entry).items():
                    exact = name != "paper" and isinstance(value, float)
                    row.append(f"{value:.4f}" if exact else value)
            lines.append(row)
    return csv_text(lines)


def to_json(table: Table) -> dict[str, Any]:
    """The same numbers by name, each entry with the cell that they were measured in."""
    return {
        "number": table.number,
        "caption": table.caption,
        "notes": list(table.notes),
        "sections": [
            {
                "data": section.title,
                "lines": [
                    {
                        "pooling": line.label,
                        "reference": line.reference or None,
                        "runs": line.runs,
                        "scores": [
                            {
                                "score": column.score,
                                "group": column.group or None,
                                "cell": entry.cell or None,
                                **{
                                    name.replace(" ", "_") or "mean": _rounded(value)
                                    for name, value in numbers(entry).items()
                                },
                                "differs_from_avg": entry.differs,
                            }
                            for column, entry in zip(table.columns, line.entries, strict=True)
                        ],
                    }
                    for line in section.lines
                ],
            }
            for section in table.sections
        ],
    }


def _rounded(value: float | int | None) -> float | int | None:
    return round(value, 4) if isinstance(value, float) else value


def to_markdown(table: Table) -> str:
    """For GitHub, which shows no more than six or so columns side by side."""
    table = stacked(table)
    heads = [head for column in table.columns for head in (HEADS[column.score], "paper ‡")]
    lines = [f"# {table.number}: {table.caption}", ""]
    for section in table.sections:
        lines += [f"Measured on: {section.title}", ""]
        lines.append(f"| Pooling | {' | '.join(heads)} | runs |")
        lines.append("|:--" + "|--:" * (len(heads) + 1) + "|")
        for row in rows(table, section):
            lines.append(f"| {' | '.join(map(_markdown_cell, row))} |")
        lines.append("")
    return "\n".join(lines + [f"- {markdown_escape(note)}" for note in table.notes]) + "\n"


def _markdown_cell(cell: Text) -> str:
    text = markdown_escape(cell.text)
    shown = f"**{text}**" if cell.bold else text
    # Differences from the paper would make a line too long to read; the other formats have them.
    return shown if not cell.detail or cell.detail[0] in "+−" else f"{shown}<br>{cell.detail}"


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
    "−": r"$-$",
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
    table = stacked(table)
    width = 2 * len(table.columns) + 2
    heads = [head for c in table.columns for head in (HEADS[c.score], "paper ‡")]
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
    lines.append(f"Pooling & {' & '.join(map(latex_escape, heads))} & runs \\\\")
    for section in table.sections:
        lines += [r"\midrule", rf"\multicolumn{{{width}}}{{l}}{{{latex_escape(section.title)}}} \\"]
        for row in rows(table, section):
            texts = [
                rf"\textbf{{{latex_escape(cell.text)}}}" if cell.bold else latex_escape(cell.text)
                for cell in row
            ]
            lines.append(" & ".join(texts) + r" \\")
            if any(cell.detail for cell in row):
                details = [
                    rf"{{\scriptsize {latex_escape(c.detail)}}}" if c.detail else "" for c in row
                ]
                lines.append(" & ".join(details) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}}"]
    lines += [rf"\par\raggedright\footnotesize {latex_escape(note)}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"

"""A table's renderings: CSV and JSON for machines, Markdown for GitHub, LaTeX for print."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pipeline.reporting.table import Entry, Table, Text, heads, rows, stacked

COMPARED = {
    "low": "low",
    "high": "high",
    "less baseline": "difference",
    "less baseline low": "difference_low",
    "less baseline high": "difference_high",
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
    lines = []
    for section in table.sections:
        for line in section.lines:
            row: dict[str, Any] = {"data": section.title, "pooling": line.label}
            row |= {"reference": line.reference, "runs": line.runs}
            if not table.beside_paper:
                row["seconds"] = line.seconds
            for column, entry in zip(table.columns, line.entries, strict=True):
                for name, value in numbers(entry).items():
                    exact = name != "paper" and isinstance(value, float)
                    key = " ".join(filter(None, [column.score, column.group, name]))
                    row[key] = f"{value:.4f}" if exact else value
            lines.append(row)
    return str(pd.DataFrame(lines, dtype=object).to_csv(index=False, lineterminator="\n"))


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
                                "differs": entry.differs,
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
    lines = [f"# {table.number}: {table.caption}", ""]
    for section in table.sections:
        lines += [f"Measured on: {section.title}", ""]
        lines.append(f"| {table.first} | {' | '.join(heads(table))} |")
        lines.append("|:--" + "|--:" * len(heads(table)) + "|")
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
    head = [table.first, *map(latex_escape, heads(table))]
    lines: list[list[str]] = []
    for section in table.sections:
        rule = r"\midrule " if lines else ""
        lines.append([rf"{rule}\rlap{{{latex_escape(section.title)}}}", *[""] * (len(head) - 1)])
        for row in rows(table, section):
            texts = [latex_escape(cell.text) for cell in row]
            pairs = zip(row, texts, strict=True)
            lines.append([rf"\textbf{{{text}}}" if cell.bold else text for cell, text in pairs])
            details = [latex_escape(cell.detail) for cell in row]
            if any(details):
                lines.append([text and rf"{{\scriptsize {text}}}" for text in details])
    text = (
        pd.DataFrame(lines, columns=head)
        .style.hide(axis="index")
        .to_latex(
            column_format="l" + "r" * (len(head) - 1),
            position_float="centering",
            hrules=True,
            caption=latex_escape(table.caption),
            label=f"tab:{table.name}",
        )
    )
    notes = [rf"\par\raggedright\footnotesize {latex_escape(note)}" for note in table.notes]
    text = text.replace(r"\begin{tabular}", "\\resizebox{\\linewidth}{!}{%\n\\begin{tabular}")
    text = text.replace(r"\end{tabular}", "\n".join([r"\end{tabular}}", *notes]))
    return rf"% {table.number}, needs \usepackage{{booktabs,graphicx}}" + "\n" + text

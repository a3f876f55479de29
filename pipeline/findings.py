"""What the tables say in words: who leads, and which leads are more than noise."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.layout import ABSENT, HEADS, Column, Entry, Line, Section, Table, Text, signed

AHEAD, BEHIND, LEVEL = "ahead", "behind", "not told apart"


def verdict(entry: Entry) -> str:
    """Whether a test tells a score from average pooling's, and in which direction."""
    compared = entry.comparison
    if not entry.differs or compared is None or compared.difference is None:
        return LEVEL
    return AHEAD if compared.difference > 0 else BEHIND


def comparison_rows(section: Section) -> Iterator[list[Text]]:
    """Differences from average pooling: label, then for each column difference and verdict."""
    for line in section.lines:
        if not any(_compared(entry) for entry in line.entries):
            continue
        row = [Text(line.label)]
        for entry in line.entries:
            compared = entry.comparison
            if compared is None or not _compared(entry):
                row += [Text(ABSENT), Text(ABSENT)]
                continue
            low, high = compared.difference_low or 0, compared.difference_high or 0
            row.append(Text(signed(compared.difference or 0), detail=_between(low, high)))
            p = probability(compared.p_holm or 0)
            row.append(Text(verdict(entry), bold=entry.differs, detail=p))
        yield row


def _compared(entry: Entry) -> bool:
    return entry.comparison is not None and entry.comparison.difference is not None


def _between(low: float, high: float) -> str:
    return f"[{signed(low)}, {signed(high)}]"


def probability(p: float) -> str:
    """A p-value as people read it.

    >>> probability(0.00011), probability(0.0449), probability(0.35)
    ('p < 0.001', 'p = 0.045', 'p = 0.35')
    """
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def findings(table: Table) -> list[str]:
    """A sentence or two for each data set of a table and each heading of its columns."""
    found = []
    for section in table.sections:
        for i, column in enumerate(table.columns):
            lines = [line for line in section.lines if line.entries[i].measured]
            if lines and column.score in ("mAP", "accuracy", "ensemble"):
                found.append(_finding(table, section, column, i, lines))
    return found


def _finding(table: Table, section: Section, column: Column, i: int, lines: list[Line]) -> str:
    best = section.best(i, table.decimals)
    leaders = [line.label for line in lines if _shown(line.entries[i], table.decimals) == best]
    place = f"{section.title}, {column.group}" if column.group else section.title
    score = "accuracy of the ensemble" if column.score == "ensemble" else SCORES[column.score]
    verb = "has" if len(leaders) == 1 else "have"
    text = f"{place}: {' and '.join(leaders)} {verb} the highest {score}, {best}."
    for line in lines:
        if line.label.startswith("DGMP") and _compared(line.entries[i]):
            text += " " + _against_average(line, i, lines)
    return text


SCORES = {"mAP": "mAP", "accuracy": "mean accuracy"}


def _shown(entry: Entry, decimals: int) -> str:
    return f"{entry.measured.mean:.{decimals}f}" if entry.measured else ""


def _against_average(line: Line, i: int, lines: list[Line]) -> str:
    entry = line.entries[i]
    compared = entry.comparison
    if compared is None or compared.difference is None:
        return ""
    tested = {
        AHEAD: f"more than chance on these pages ({probability(compared.p_holm or 0)})",
        BEHIND: f"more than chance on these pages ({probability(compared.p_holm or 0)})",
        LEVEL: f"which may be chance ({probability(compared.p_holm or 0)})",
    }[verdict(entry)]
    text = f"{line.label}: {_points(compared.difference)} Avg, {tested}"
    average = next((other for other in lines if other.label == HEADS["accuracy"]), None)
    paper = average.entries[i].paper if average else None
    if entry.paper is not None and paper is not None:
        text += f"; in the paper {_points(entry.paper - paper)} Avg"
    return text + "."


def _points(difference: float) -> str:
    side = "above" if difference >= 0 else "below"
    return f"{abs(difference):.1f} points {side}"

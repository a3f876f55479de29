"""What the tables say in words: who leads, and which leads are more than noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pipeline.layout import ABSENT, HEADS, Entry, Line, Section, Table, Text, signed
from pipeline.metrics import Score

AVERAGE = "Avg"
SCORES: dict[Score, str] = {
    "mAP": "mAP",
    "accuracy": "mean accuracy",
    "ensemble": "accuracy as an ensemble",
}
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


class Finding(NamedTuple):
    """What a table says of one data set."""

    where: str
    text: str


def findings(table: Table) -> list[Finding]:
    """Who leads, and how DGMP compares with Avg here and in the paper, for each data set."""
    found = []
    for section in table.sections:
        said = [_count(table, section, "mAP")] if table.grouped else _lead(table, section)
        if any(said):
            where = f"{table.number}, {section.title}"
            found.append(Finding(where, " ".join(filter(None, said))))
    return found


def _count(table: Table, section: Section, score: Score) -> str:
    """A sentence on a table with a cell for each of several margins."""
    pairs = [
        (entry, _paper_of_average(section, i))
        for line in section.lines
        if _is_dgmp(line)
        for i, (column, entry) in enumerate(zip(table.columns, line.entries, strict=True))
        if column.score == score and _compared(entry)
    ]
    if not pairs:
        return ""
    entries = [entry for entry, _ in pairs]
    higher = [e for e in entries if e.comparison and (e.comparison.difference or 0) > 0]
    ahead, behind = (sum(verdict(e) == which for e in entries) for which in (AHEAD, BEHIND))
    printed = [(e.paper, other) for e, other in pairs if e.paper is not None and other is not None]
    text = (
        f"DGMP has a higher {HEADS[score]} than Avg in {len(higher)} of {len(entries)} cells; it "
        f"is ahead by more than chance in {ahead}, and behind in {behind}."
    )
    if printed:
        above = sum(own > other for own, other in printed)
        text += f" In the paper it is higher in {above} of {len(printed)}."
    return text


def _lead(table: Table, section: Section) -> list[str]:
    said = []
    for i, column in enumerate(table.columns):
        lines = [line for line in section.lines if line.entries[i].measured]
        if not lines or column.score not in SCORES:
            continue
        best = section.best(i, table.decimals)
        leaders = [one.label for one in lines if _shown(one.entries[i], table.decimals) == best]
        verb = "has" if len(leaders) == 1 else "have"
        said.append(f"{' and '.join(leaders)} {verb} the highest {SCORES[column.score]}, {best}.")
        said += [_against_average(section, line, i) for line in lines if _is_dgmp(line)]
    return said


def _is_dgmp(line: Line) -> bool:
    return line.label.startswith("DGMP")


def _shown(entry: Entry, decimals: int) -> str:
    return f"{entry.measured.mean:.{decimals}f}" if entry.measured else ""


def _against_average(section: Section, line: Line, i: int) -> str:
    entry = line.entries[i]
    compared = entry.comparison
    if compared is None or compared.difference is None or compared.p_holm is None:
        return ""
    chance = "more than chance" if entry.differs else "which may be chance"
    text = f"{line.label} is {_points(compared.difference)} Avg, {chance}"
    text += f" ({probability(compared.p_holm)})"
    paper = _paper_of_average(section, i)
    if entry.paper is not None and paper is not None:
        text += f"; in the paper {_points(entry.paper - paper)}"
    return text + "."


def _paper_of_average(section: Section, i: int) -> float | None:
    return next((one.entries[i].paper for one in section.lines if one.label == AVERAGE), None)


def _points(difference: float) -> str:
    side = "above" if difference >= 0 else "below"
    return f"{abs(difference):.1f} points {side}"

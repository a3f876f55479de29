"""What the tables say in words: which poolings lead, and which differences are significant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pipeline.evaluation.comparison_tests import AVERAGE
from pipeline.evaluation.results import Score
from pipeline.reporting.table import (
    ABSENT,
    HEADS,
    MAJORITY,
    Entry,
    Line,
    Section,
    Table,
    Text,
    signed,
)

SCORES: dict[Score, str] = {
    "mAP": "mAP",
    "accuracy": "mean accuracy",
    "ensemble": "accuracy as an ensemble",
}
HIGHER, LOWER, LEVEL = "higher", "lower", "not significantly different"


def verdict(entry: Entry) -> str:
    """Whether a score is significantly different from average pooling's, and in which direction."""
    compared = entry.comparison
    if not entry.differs or compared is None or compared.difference is None:
        return LEVEL
    return HIGHER if compared.difference > 0 else LOWER


def comparison_rows(section: Section) -> Iterator[list[Text]]:
    """Differences from Avg or the system compared with: label, then a cell a column.

    Significant ones are bold; what a line is compared with stands below its label.
    """
    labels = {entry.cell: line.label for line in section.lines for entry in line.entries}
    for line in section.lines:
        found = [e.comparison.baseline for e in line.entries if e.comparison and _compared(e)]
        if found:
            less = labels.get(str(found[0]), AVERAGE)
            yield [Text(line.label, detail=f"less {less}"), *map(_comparison, line.entries)]


def _comparison(entry: Entry) -> Text:
    one = entry.comparison
    if one is None or one.difference is None or one.p_holm is None:
        return Text(ABSENT)
    said = f", {verdict(entry)}" if entry.differs else ""
    detail = probability(one.p_holm)
    if one.difference_low is not None and one.difference_high is not None:
        detail = f"[{signed(one.difference_low)}, {signed(one.difference_high)}] {detail}"
    return Text(signed(one.difference) + said, bold=entry.differs, detail=detail)


def _compared(entry: Entry) -> bool:
    return entry.comparison is not None and entry.comparison.difference is not None


def probability(p: float) -> str:
    """A p-value as people read it, in one piece.

    >>> [probability(p).replace("\N{NO-BREAK SPACE}", " ") for p in (0.00011, 0.0449, 0.35)]
    ['p < 0.001', 'p = 0.045', 'p = 0.35']
    """
    if p < 0.001:
        return "p\N{NO-BREAK SPACE}<\N{NO-BREAK SPACE}0.001"
    return f"p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{p:.{3 if p < 0.1 else 2}f}"


class Finding(NamedTuple):
    """What a table says of one data set."""

    where: str
    text: str


def findings(table: Table) -> list[Finding]:
    """Which pooling leads, and how DGMP compares with Avg here and in the paper, by data set."""
    found = []
    if not table.beside_paper:
        lines = [one for section in table.sections for one in section.lines]
        where = f"{table.number}, {table.sections[0].title}"
        return [Finding(where, one) for line in lines if (one := _by_step(table, line))]
    for section in table.sections:
        said = [_count(table, section, "mAP")] if table.grouped else _lead(table, section)
        if any(said):
            where = f"{table.number}, {section.title}"
            found.append(Finding(where, " ".join(filter(None, said))))
    return found


def _by_step(table: Table, line: Line) -> str:
    """A sentence on a system's mAP at each step less that of the system it is compared with."""
    steps = [
        f"{signed(one.difference)} {column.group} ({probability(one.p_holm)})"
        for column, entry in zip(table.columns, line.entries, strict=True)
        if column.score == "mAP"
        and (one := entry.comparison) is not None
        and one.difference is not None
        and one.p_holm is not None
    ]
    return f"{_quoted(line.label)}, mAP less its baseline’s: {', '.join(steps)}." if steps else ""


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
    above, below = (sum(verdict(e) == which for e in entries) for which in (HIGHER, LOWER))
    printed = [(e.paper, other) for e, other in pairs if e.paper is not None and other is not None]
    text = (
        f"DGMP has a higher {HEADS[score]} than Avg in {len(higher)} of {len(entries)} cells. It "
        f"is significantly higher in {above} and significantly lower in {below}."
    )
    if printed:
        in_paper = sum(own > other for own, other in printed)
        text += f" In the paper it is higher in {in_paper} of {len(printed)}."
    return text


def _lead(table: Table, section: Section) -> list[str]:
    said = []
    for i, column in enumerate(table.columns):
        lines = [line for line in section.lines if line.runs and line.entries[i].measured]
        if len(lines) < 2 or column.score not in SCORES:
            continue
        best = section.best(i, table.decimals)
        leaders = [one for one in lines if _shown(one.entries[i], table.decimals) == best]
        verb = "has" if len(leaders) == 1 else "have"
        said.append(f"{_listed(leaders)} {verb} the highest {SCORES[column.score]}, {best}.")
        said += [_against_average(section, line, i) for line in lines if _is_dgmp(line)]
    return [*said, _against_majority(section)]


def _against_majority(section: Section) -> str:
    """Which poolings are no better than the majority class, by the intervals of any score."""
    floor = [one.entries[0].measured for one in section.lines if one.label == MAJORITY]
    rate = floor[0] if floor else None
    if rate is None:
        return ""
    lines = [line for line in section.lines if line.runs]
    near = [
        line
        for line in lines
        if any(e.comparison and e.comparison.low <= rate.mean for e in line.entries)
    ]
    text = f"The majority class has an accuracy of {rate.mean:.1f}; "
    if not near:
        return text + "intervals of all poolings lie above it."
    which = "all poolings" if len(near) == len(lines) else _listed(near)
    return text + f"intervals of {which} contain it or lie below it."


def _is_dgmp(line: Line) -> bool:
    return line.label.startswith("DGMP")


def _shown(entry: Entry, decimals: int) -> str:
    return f"{entry.measured.mean:.{decimals}f}" if entry.measured else ""


def _against_average(section: Section, line: Line, i: int) -> str:
    entry = line.entries[i]
    compared = entry.comparison
    if compared is None or compared.difference is None or compared.p_holm is None:
        return ""
    test = "significant" if entry.differs else "not significant"
    text = f"{_quoted(line.label)} is {_points(compared.difference)} {AVERAGE}"
    text += f" ({test}, {probability(compared.p_holm)})"
    paper = _paper_of_average(section, i)
    if entry.paper is not None and paper is not None:
        text += f"; in the paper it is {_points(entry.paper - paper)} it"
    return text + "."


def _paper_of_average(section: Section, i: int) -> float | None:
    return next((one.entries[i].paper for one in section.lines if one.label == AVERAGE), None)


def _points(difference: float) -> str:
    if abs(difference) < 0.05:
        return "level with"
    return f"{abs(difference):.1f} points {'above' if difference > 0 else 'below'}"


def _quoted(label: str) -> str:
    return f"“{label}”" if "," in label else label


def _listed(lines: list[Line]) -> str:
    names = [_quoted(line.label) for line in lines]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))

"""Write the tables that README.md shows from the committed reports: `make readme`.

Table II of reports/manuscripts with links to the others, and the ladder of the same report.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline.evaluation.systems import STEP_NAMES
from pipeline.shared.files import write_text
from pipeline.shared.stage import run

README = Path("README.md")
FOLDER = Path("reports/manuscripts/tables")
SHOWN, LINKED = FOLDER / "table2.md", tuple(FOLDER / f"table{n}.md" for n in (1, 3, 4))
SECTION = "Measured on: "
# They speak of the other section of Table II, of which the ladder tells more.
NOTES_ON_SYSTEMS = ("- Systems are compared", "- Cited: ")
LADDER = FOLDER / "table4.csv"

log = logging.getLogger(__name__)


def with_section(readme: str, name: str, body: str) -> str:
    """The text with a body between the two marks of this name, in place of what stands there.

    Raises:
        ValueError: a mark is missing or stands there twice.
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    for mark in (begin, end):
        if readme.count(mark) != 1:
            raise ValueError(f"{README} must hold the line {mark.strip()} once, to tell the place")
    before, _, rest = readme.partition(begin)
    return f"{before}{begin}{body}{end}{rest.partition(end)[2]}"


def table_with_links(shown: str, linked: Mapping[str, str]) -> str:
    """The first section of a table in Markdown, its notes, and a link to each of the others.

    Args:
        shown: The table in Markdown.
        linked: The others in Markdown, by the path of their file.
    """
    head, first, *_ = shown.partition("\n")[2].split(SECTION)
    notes = [line for line in shown.splitlines() if line.startswith("- ")]
    own = [note for note in notes if not note.startswith(NOTES_ON_SYSTEMS)]
    body = head + SECTION + first.partition("\n- ")[0].rstrip() + "\n\n" + "\n".join(own)
    links = [f"[{_title(table)}]({path})" for path, table in linked.items()]
    return f"**{_title(shown)}**\n{body}\n\nThe other tables: {'; '.join(links)}.\n"


def ladder(table: pd.DataFrame) -> str:
    """Mean mAP of each system after each step, in Markdown.

    Args:
        table: table4.csv of a report.
    """
    steps = list(STEP_NAMES.values())
    lines = [f"| mAP | {' | '.join(steps)} |", f"|:--|{'--:|' * len(steps)}"]
    for _, row in table.iterrows():
        means = " | ".join(f"{row[f'mAP {step}']:.1f}" for step in steps)
        lines.append(f"| {row['pooling']} | {means} |")
    return "\n".join(lines) + "\n"


def _title(table: str) -> str:
    return table.strip().splitlines()[0].removeprefix("# ")


def main() -> None:
    linked = {str(file): file.read_text(encoding="utf-8") for file in LINKED}
    readme = README.read_text(encoding="utf-8")
    tables = table_with_links(SHOWN.read_text(encoding="utf-8"), linked)
    readme = with_section(readme, "tables", tables)
    write_text(README, with_section(readme, "ladder", ladder(pd.read_csv(LADDER))))
    log.info("%s: the tables of %s and %s", README, SHOWN, LADDER)


if __name__ == "__main__":
    run(main)

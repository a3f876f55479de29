"""Write Table II of reports/scribes into README.md, and links to the others: `make readme`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from pipeline.shared.files import write_text
from pipeline.shared.stage import run

README = Path("README.md")
FOLDER = Path("reports/scribes/tables")
SHOWN, LINKED = FOLDER / "table2.md", tuple(FOLDER / f"table{n}.md" for n in (1, 3, 4))
BEGIN, END = "<!-- tables -->\n", "<!-- end of tables -->\n"

log = logging.getLogger(__name__)


def with_table(readme: str, shown: str, linked: Mapping[str, str]) -> str:
    """The text with a table between its two marks, and below it a link to each of the others.

    Args:
        readme: README.md.
        shown: The table in Markdown.
        linked: The others in Markdown, by the path of their file.

    Raises:
        ValueError: a mark is missing or stands there twice.
    """
    for mark in (BEGIN, END):
        if readme.count(mark) != 1:
            raise ValueError(f"{README} must hold the line {mark.strip()} once, to tell the place")
    before, _, rest = readme.partition(BEGIN)
    after = rest.partition(END)[2]
    links = [f"[{_title(table)}]({path})" for path, table in linked.items()]
    body = shown.strip().partition("\n")[2]
    text = f"**{_title(shown)}**\n{body}\n\nThe other tables: {'; '.join(links)}.\n"
    return f"{before}{BEGIN}{text}{END}{after}"


def _title(table: str) -> str:
    return table.strip().splitlines()[0].removeprefix("# ")


def main() -> None:
    linked = {str(file): file.read_text(encoding="utf-8") for file in LINKED}
    readme = README.read_text(encoding="utf-8")
    write_text(README, with_table(readme, SHOWN.read_text(encoding="utf-8"), linked))
    log.info("%s: the table of %s", README, SHOWN)


if __name__ == "__main__":
    run(main)

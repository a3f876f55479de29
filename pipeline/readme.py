"""Write the tables of reports/scribes into README.md: `make readme`, after a run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from pipeline.command import run
from pipeline.text_files import write_text

README = Path("README.md")
TABLES = [Path("reports/scribes") / f"table{number}.md" for number in (1, 2, 3)]
BEGIN, END = "<!-- tables -->\n", "<!-- end of tables -->\n"

log = logging.getLogger(__name__)


def with_tables(readme: str, tables: Sequence[str]) -> str:
    """The text with the tables between its two marks, their notes once, at the end.

    Raises:
        ValueError: a mark is missing or stands there twice.
    """
    for mark in (BEGIN, END):
        if readme.count(mark) != 1:
            raise ValueError(f"{README} must hold the line {mark.strip()} once, to tell the place")
    before, _, rest = readme.partition(BEGIN)
    after = rest.partition(END)[2]
    body, notes = [], []
    for table in tables:
        title, *lines = table.strip().splitlines()
        body += [f"**{title.removeprefix('# ')}**"]
        body += [line for line in lines if not line.startswith("- ")]
        notes += [line for line in lines if line.startswith("- ")]
    text = "\n".join([*body, *dict.fromkeys(notes)])
    return f"{before}{BEGIN}{text}\n{END}{after}"


def main() -> None:
    tables = [file.read_text(encoding="utf-8") for file in TABLES]
    write_text(README, with_tables(README.read_text(encoding="utf-8"), tables))
    log.info("%s: %d tables", README, len(tables))


if __name__ == "__main__":
    run(main)

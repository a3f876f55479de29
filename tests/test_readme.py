"""The README shows the committed tables and names commands that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("table", ["table1", "table2", "table3"])
def test_tables_are_those_of_the_reports(table: str) -> None:
    report = (ROOT / "reports" / "scribes" / f"{table}.md").read_text(encoding="utf-8")
    missing = [line for line in report.splitlines() if line.startswith("|") and line not in README]
    assert not missing, f"README.md does not show these lines of {table}.md: {missing}"


def test_make_targets_exist() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    named = re.findall(r"`?make ([a-z]+)", README)
    assert set(named) <= set(targets)


def test_linked_files_exist() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]


def test_first_example_runs() -> None:
    example = re.search(r"```python\n(.*?)```", README, re.S)
    assert example
    names: dict[str, object] = {}
    exec(example[1], names)  # the README is part of the project
    assert tuple(names["descriptor"].shape) == (8, 2048)  # type: ignore[attr-defined]

"""The README shows the committed tables and names commands that exist."""

import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.readme import BEGIN, END, TABLES, with_tables

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_tables_are_those_of_the_reports() -> None:
    tables = [(ROOT / file).read_text(encoding="utf-8") for file in TABLES]
    assert sum(line in README for table in tables for line in table.splitlines()) > 30
    assert with_tables(README, tables) == README, (
        "the tables are older than the reports: make readme"
    )


def test_tables_take_the_place_of_older_ones() -> None:
    tables = ["# Table I: new\n\n| a |\n\n- note\n", "# Table II: newer\n\n| b |\n\n- note\n"]
    text = with_tables(f"before\n{BEGIN}old\n{END}after\n", tables)
    assert text.startswith(f"before\n{BEGIN}**Table I: new**\n\n| a |\n\n**Table II: newer**")
    assert text.endswith(f"| b |\n\n- note\n{END}after\n")
    assert text.count("- note") == 1
    assert with_tables(text, tables) == text


@pytest.mark.parametrize("readme", ["no marks", BEGIN, f"{BEGIN}{END}{BEGIN}"])
def test_a_readme_without_its_marks(readme: str) -> None:
    with pytest.raises(ValueError, match=r"README.md must hold the line <!--"):
        with_tables(readme, ["# Table I: new"])


def test_make_targets_exist() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    named = re.findall(r"`?make ([a-z-]+)", README)
    assert set(named) <= set(targets)


def test_linked_files_exist() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]


def test_example_runs() -> None:
    (layer,) = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len(layer.splitlines()) == 5
    names: dict[str, Any] = {}
    exec(layer, names)  # the README is part of the project
    assert tuple(names["descriptor"].shape) == (8, 2048)

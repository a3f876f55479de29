"""The README shows the committed tables and names commands that exist."""

import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.tools.readme import BEGIN, END, LINKED, SHOWN, with_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_tables_are_those_of_the_reports() -> None:
    shown = (ROOT / SHOWN).read_text(encoding="utf-8")
    assert sum(line in README for line in shown.splitlines()) > 10
    linked = {str(file): (ROOT / file).read_text(encoding="utf-8") for file in LINKED}
    assert with_table(README, shown, linked) == README, (
        "the table is older than the reports: make readme"
    )


def test_a_table_takes_the_place_of_an_older_one() -> None:
    shown = "# Table II: new\n\n| a |\n\n- note\n"
    linked = {"reports/table1.md": "# Table I: other\n\n| b |\n"}
    text = with_table(f"before\n{BEGIN}old\n{END}after\n", shown, linked)
    assert text.startswith(f"before\n{BEGIN}**Table II: new**\n\n| a |\n\n- note\n\n")
    assert text.endswith(f"[Table I: other](reports/table1.md).\n{END}after\n")
    assert "| b |" not in text
    assert with_table(text, shown, linked) == text


@pytest.mark.parametrize("readme", ["no marks", BEGIN, f"{BEGIN}{END}{BEGIN}"])
def test_a_readme_without_its_marks(readme: str) -> None:
    with pytest.raises(ValueError, match=r"README.md must hold the line <!--"):
        with_table(readme, "# Table II: new", {})


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

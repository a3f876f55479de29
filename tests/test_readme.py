"""The README shows the committed tables and names commands that exist."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.tools.readme import LADDER, LINKED, SHOWN, ladder, table_with_links, with_section

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_tables_are_those_of_the_reports() -> None:
    shown = (ROOT / SHOWN).read_text(encoding="utf-8")
    assert sum(line in README for line in shown.splitlines()) > 8
    linked = {str(file): (ROOT / file).read_text(encoding="utf-8") for file in LINKED}
    tables = with_section(README, "tables", table_with_links(shown, linked))
    assert tables == README, "the table is older than the reports: make readme"
    steps = with_section(README, "ladder", ladder(pd.read_csv(ROOT / LADDER)))
    assert steps == README, "the ladder is older than the reports: make readme"


def test_a_table_takes_the_place_of_an_older_one() -> None:
    linked = {"reports/table1.md": "# Table I: other\n\n| b |\n"}
    first, second = "Measured on: x\n\n| a |\n\n", "Measured on: y\n\n| c |\n\n"
    notes = "- note\n- Cited: other systems\n"
    body = table_with_links(f"# Table II: new\n\n{first}{second}{notes}", linked)
    assert body.startswith("**Table II: new**\n\nMeasured on: x\n\n| a |\n\n- note\n\n")
    assert body.endswith("[Table I: other](reports/table1.md).\n")
    assert "| b |" not in body
    old = "before\n<!-- x -->\nold\n<!-- end of x -->\nafter\n"
    text = with_section(old, "x", body)
    assert text == f"before\n<!-- x -->\n{body}<!-- end of x -->\nafter\n"
    assert with_section(text, "x", body) == text


def test_the_ladder_shows_each_step() -> None:
    means = {"mAP raw": 1.04, "mAP whitened": 2.0, "mAP E-SVM": 33.36, "mAP re-ranked": 44.0}
    lines = ladder(pd.DataFrame([{"pooling": "SIFT, GMP"} | means])).splitlines()
    assert lines[0] == "| mAP | raw | whitened | E-SVM | re-ranked |"
    assert lines[2] == "| SIFT, GMP | 1.0 | 2.0 | 33.4 | 44.0 |"


MARKS = "<!-- x -->\n<!-- end of x -->\n"


@pytest.mark.parametrize("readme", ["no marks", "<!-- x -->\n", MARKS + MARKS])
def test_a_readme_without_its_marks(readme: str) -> None:
    with pytest.raises(ValueError, match=r"README.md must hold the line <!--"):
        with_section(readme, "x", "new")


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

"""The README shows the committed tables and names commands that exist."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("table", ["table1", "table2", "table3"])
def test_tables_are_those_of_the_reports(table: str) -> None:
    report = (ROOT / "reports" / "scribes" / f"{table}.md").read_text(encoding="utf-8")
    missing = [line for line in report.splitlines() if line.startswith("|") and line not in README]
    assert not missing, f"README.md does not show these lines of {table}.md: {missing}"


def test_make_targets_exist() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    named = re.findall(r"`?make ([a-z-]+)", README)
    assert set(named) <= set(targets)


def test_linked_files_exist() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]


def test_examples_run() -> None:
    layer, weights = re.findall(r"```python\n(.*?)```", README, re.S)
    names: dict[str, Any] = {}
    exec(layer, names)  # the README is part of the project
    assert tuple(names["descriptor"].shape) == (8, 2048)
    network = torch.nn.Conv2d(3, 4, 33, stride=32, padding=16)
    names = {"network": network, "image": torch.rand(3, 64, 96)}
    exec(weights, names)
    assert tuple(names["weights"].shape) == (2, 3)
    shown = names["plt"].gca().images
    assert [image.get_array().shape for image in shown] == [(64, 96), (64, 96)]
    names["plt"].close()

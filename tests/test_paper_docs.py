"""docs/paper.md shows the work that is counted and the stages that there are."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from dgmp.functional import generalized_max_pool
from pipeline.params import load_params
from tests.benchmarks.count_work import PATCHES_A_PAGE, flops_of_an_image, tables

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")


def test_tables_are_those_that_are_counted() -> None:
    counted = tables(load_params(ROOT / "params.yaml"), PATCHES_A_PAGE)
    assert f"<!-- counted -->\n{counted}\n<!-- end of counted -->" in PAGE


@pytest.mark.parametrize(("size", "stride", "locations"), [(400, 2, 13 * 13), (384, 1, 24 * 24)])
def test_oracle_operations(size: int, stride: int, locations: int) -> None:
    forward, both = flops_of_an_image(size, stride, "avg")
    # torchvision gives 4.09 GFLOP of multiply-adds for 224 pixels; stride 1 makes layer 4 dearer.
    at_stride_2 = 2 * 4.09e9 * (size / 224) ** 2
    assert at_stride_2 * 0.98 < forward < at_stride_2 * (1.02 if stride == 2 else 1.7)
    assert 2.9 < both / forward < 3
    with_dgmp = flops_of_an_image(size, stride, "dgmp")[1] - both
    phi = torch.rand(1, 2048, locations, requires_grad=True)
    with FlopCounterMode(display=False) as ours:  # knows products, but no factorizations
        generalized_max_pool(phi, torch.tensor(1000.0)).sum().backward()
    assert 0.5 * with_dgmp < ours.get_total_flops() < with_dgmp


def test_graph_is_that_of_dvc() -> None:
    graph = subprocess.run(
        [sys.executable, "-m", "dvc", "dag", "--collapse-foreach-matrix", "--mermaid"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"```mermaid\n{graph.strip()}\n```" in PAGE


def test_stages_of_the_dry_run_are_those_of_dvc_yaml() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    shown = re.findall(r"^Running stage '(\w+)", PAGE, re.M)
    assert set(shown) == set(stages)

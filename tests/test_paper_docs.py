"""docs/paper.md shows the work that is counted and the stages that there are."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from dgmp.pooling.functional import generalized_max_pool
from tests.benchmarks.count_work import (
    IMAGES_A_SECOND,
    PAGES,
    PATCHES_A_PAGE,
    flops_of_an_image,
    hours,
    saved_bytes,
    tables,
    under,
    work_of,
)
from tests.benchmarks.system_work import core_hours, system_table

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")


def test_tables_are_those_that_are_counted() -> None:
    settings = [under(protocol, ROOT / "params.yaml") for protocol in ("paper", "authors-code")]
    counted = tables(*settings, PATCHES_A_PAGE)
    assert f"<!-- counted -->\n{counted}\n<!-- end of counted -->" in PAGE


def test_work_of_systems_is_what_is_counted() -> None:
    params = under("paper", ROOT / "params.yaml")
    table = system_table(params)
    assert f"<!-- counted systems -->\n{table}\n<!-- end of counted systems -->" in PAGE
    steps = core_hours(params)
    # By hand, from params.yaml: 5 seeds of each of 4 local systems, 1 run of each of the 11 others.
    assert steps["describe"][1] == 1182 + 3600
    assert steps["train the network of Cl-S"][1] == 3_000_000 * 22
    assert steps["activations of Cl-S"][1] == 2500 * (1182 + 3600)
    runs = 4 * 5 + 6 + 5 * len(params.profiles.paper.writers.seeds)
    assert steps["exemplar SVMs"][1] == 3600 * runs
    encoded = sum(amount for step, (_, amount, _) in steps.items() if step.startswith("encode"))
    assert encoded == 4 * 5 * (1182 + 3600)


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


def test_oracle_bytes_that_wait_for_the_backward_pass() -> None:
    # An image of twice the side saves four times as much.
    assert saved_bytes(448, 2) == pytest.approx(4 * saved_bytes(224, 2), rel=0.01)
    # ResNet-50's 11.1 million activations of convolutions, each before and after normalisation.
    assert saved_bytes(224, 2) == pytest.approx(2 * 4 * 11.1e6, rel=0.05)


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
    shown = re.findall(r"^Running stage '([\w-]+)", PAGE, re.M)
    assert set(shown) == set(stages) - {"search"}, "there are no searches unless they are set"


def test_disk_space_is_that_of_what_is_counted_and_measured() -> None:
    measured = (ROOT / "reports" / "benchmarks" / "data.md").read_text(encoding="utf-8")
    (packed,) = re.findall(r"^\| 1364×1738 \| [\d.]+ \| ([\d.]+) \|", measured, re.M)
    pages = sum(sum(PAGES[task]) for task in ("scripts_a", "scripts_b"))
    gigabytes = f"{pages * float(packed) / 1000:.0f} GB"
    assert re.search(rf"pages, {pages} of \[{packed} MB\]\(.*\| {gigabytes} \|$", PAGE, re.M)
    patches = PATCHES_A_PAGE * sum(PAGES["writers"])
    assert (
        f"patches, {patches:,} of 20 kB | `data/paper/patches/` | {patches * 20e-6:.0f} GB |"
        in PAGE
    )


def test_job_array_is_of_all_that_trains_and_ends_in_time() -> None:
    params = under("paper", ROOT / "params.yaml")
    (last,) = re.findall(r"--array=0-(\d+)", PAGE)
    assert int(last) + 1 == len([*params.cells, *params.untrained, "variant"])
    limit = min(int(hours_) for hours_ in re.findall(r"--time=(\d+):00:00", PAGE))
    for task in PAGES:
        seeds = len(params.profiles.paper.schedule(task).seeds)
        flops = seeds * work_of(params, task, "dgmp", PATCHES_A_PAGE).flops
        assert all(hours(flops, gpu) < limit / 2 for gpu in IMAGES_A_SECOND)

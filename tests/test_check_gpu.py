"""What `make check-gpu` does, as far as it can be tried without a GPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import check_gpu

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_errors_no_gpu():
    ended = subprocess.run(
        [sys.executable, "-m", "tests.check_gpu"],
        cwd=ROOT,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: PyTorch ")
    assert "sees no GPU: see nvidia-smi" in line


@pytest.mark.slow
def test_rehearsal_checks_of_the_stage_pass_on_the_cpu(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert check_gpu.in_project(check_gpu.repeated) == "the same, to the last bit"
    assert check_gpu.in_project(check_gpu.killed).startswith("epoch-")

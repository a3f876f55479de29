import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.shared.launcher import LAUNCHER, is_main, launched

ROOT = Path(__file__).parents[3]
# Tells what it was called with, as a launcher would start the stage.
TELL = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ.get('DGMP_LAUNCH')]))"


@pytest.mark.slow
def test_a_stage_becomes_its_launcher(tmp_path):
    launcher = tmp_path / "a launcher.py"
    launcher.write_text(TELL, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "pipeline.train", "some-cell"],
        cwd=ROOT,
        env=os.environ | {LAUNCHER: f"{sys.executable} '{launcher}' --processes 8"},
        capture_output=True,
        text=True,
        check=True,
    )
    arguments, told_again = json.loads(ended.stdout)
    assert arguments == ["--processes", "8", "-m", "pipeline.train", "some-cell"]
    assert told_again is None


@pytest.mark.slow
def test_errors_a_launcher_that_is_not_there(monkeypatch):
    ended = subprocess.run(
        [sys.executable, "-m", "pipeline.variant"],
        cwd=ROOT,
        env=os.environ | {LAUNCHER: "torchrnu --nproc-per-node 8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: DGMP_LAUNCH: there is no program 'torchrnu': give a")


@pytest.mark.parametrize(("rank", "main"), [(None, True), ("0", True), ("3", False)])
def test_the_first_process_writes(monkeypatch, rank, main):
    monkeypatch.delenv("RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    assert is_main() == main


@pytest.mark.parametrize("value", [None, "", "  "])
def test_without_a_launcher_the_stage_runs_here(monkeypatch, value):
    monkeypatch.delenv(LAUNCHER, raising=False)
    if value is not None:
        monkeypatch.setenv(LAUNCHER, value)
    called: list[bool] = []
    launched(lambda: called.append(True))
    assert called == [True]

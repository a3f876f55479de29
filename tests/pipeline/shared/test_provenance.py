import json
import os
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from pipeline.shared.provenance import git_state, surroundings


def git(*arguments: str) -> None:
    who = {f"GIT_{w}_{k}": v for w in ("AUTHOR", "COMMITTER") for k, v in IDENTITY.items()}
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(
        ["git", *arguments], check=True, capture_output=True, env=os.environ | who | quiet
    )


IDENTITY = {"NAME": "test", "EMAIL": "test@example.org"}


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("params.yaml", "dvc.lock", "reports/scribes/table1.csv"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("first\n", encoding="utf-8")
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "first")
    return tmp_path


def test_commit_and_changes_of_tracked_files(repository):
    state = git_state()
    assert state is not None
    assert len(state["commit"]) == 40
    assert state["changed"] == []
    for name in ("dvc.lock", "reports/scribes/table1.csv", "untracked.txt"):
        Path(name).write_text("second\n", encoding="utf-8")
    assert git_state() == state, "what a run itself writes is no change"
    Path("params.yaml").write_text("second\n", encoding="utf-8")
    assert git_state() == state | {"changed": ["params.yaml"]}
    git("add", "--all")
    assert "params.yaml" in git_state()["changed"]


def test_outside_of_a_repository_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state() is None


def test_surroundings_fit_json_and_know_the_libraries():
    around = json.loads(json.dumps(surroundings()))
    assert around["libraries"]["torch"] == version("torch")
    assert around["processor"]
    assert around["cores"] >= 1

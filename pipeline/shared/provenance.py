"""Where a result comes from, kept beside it and outside of what DVC hashes."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from pipeline.shared.settings.params import Params, ParamsError

RUNS = "DGMP_RUNS"
RESULT, PROVENANCE = "result", "provenance.json"
"""In a run's folder of the store, that of the finished run; and the record in it."""
# DVC and the stages write these while they run.
WRITTEN = (":!dvc.lock", ":!reports")


def surroundings() -> dict[str, Any]:
    """Python, libraries, system, processor and commit; leaves the GPU alone."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "visible_devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "git": git_state(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "libraries": dict(sorted((d.name, d.version) for d in distributions())),
    }


def processor() -> str:
    """Model name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def git_state() -> dict[str, Any] | None:
    """The commit, and the tracked files that differ from it; None outside of a repository."""
    commit = _git("rev-parse", "HEAD")
    changed = _git("diff", "--name-only", "HEAD", "--", ".", *WRITTEN)
    if commit is None or changed is None:
        return None
    return {"commit": commit.strip(), "changed": changed.splitlines()}


def store_of(params: Params) -> Path:
    """The folder of all runs of the profile, below the one that DGMP_RUNS names if it is set.

    Raises:
        ParamsError: DGMP_RUNS is not an absolute path.
    """
    shared = os.environ.get(RUNS)
    if not shared:
        return params.data / "runs"
    if not Path(shared).is_absolute():
        raise ParamsError(f"{RUNS} must be an absolute path, got {shared!r}")
    return Path(shared) / params.profile / "runs"


def read_records(params: Params) -> dict[str, dict[str, Any]]:
    """The provenance of all finished runs by the digest of their weights, the newest of equals."""
    files = store_of(params).glob(f"*/{RESULT}/{PROVENANCE}")
    records = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return {one["weights"]: one for one in sorted(records, key=lambda one: one["started"])}


def digest_of(files: Sequence[Path]) -> str:
    """SHA-256 of the contents of files, one after the other."""
    total = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def _git(*arguments: str) -> str | None:
    try:
        ended = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return ended.stdout

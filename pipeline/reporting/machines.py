"""Machines, commits and times of the runs of a report.

DVC does not keep them, because they differ whenever the same is run. They are read from the
records beside the finished runs, and missing for runs that came out of DVC's cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any, NamedTuple, TypeVar

Record = Mapping[str, Any]
T = TypeVar("T")

# Files that a run depends on; others, such as README.md, change no number. Settings, which
# `dvc exp run -S` changes in params.yaml, are recorded in full in tables.json.
MADE_FROM = ("dgmp/*", "pipeline/*", "dvc.yaml", "requirements.lock", "data/*.yaml")

KEPT = (
    "started",
    "seconds",
    "resumed_after",
    "git",
    "system",
    "processor",
    "cores",
    "device",
    "processes",
    "python",
)


class Commit(NamedTuple):
    """A commit in short; `changed` if files that a run depends on differed from it."""

    name: str
    changed: bool


@dataclass(frozen=True)
class Machines:
    """Summary of the records of all runs; each text once, in order.

    Attributes:
        runs: number of runs.
        recorded: how many of them have a record.
        machines: processor and cores, or GPU.
        software: Python and system.
        commits: of the runs that were made in a git repository.
        seconds: of training and prediction, all runs together.
    """

    runs: int
    recorded: int
    machines: tuple[str, ...]
    software: tuple[str, ...]
    commits: tuple[Commit, ...]
    seconds: float


def summarize(records: Iterable[Record | None]) -> Machines:
    """Summary of the records of runs; None for a run without one."""
    every = list(records)
    found = [record for record in every if record is not None]
    return Machines(
        runs=len(every),
        recorded=len(found),
        machines=_once(map(_machine, found)),
        software=_once(
            f"Python {one['python']} on {one['system'].partition('-')[0]}" for one in found
        ),
        commits=_once(commit for one in found if (commit := _commit(one)) is not None),
        seconds=sum(one["seconds"] for one in found),
    )


def _once(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))


def _machine(record: Record) -> str:
    processor = f"{record['processor']}, {record['cores']} cores"
    name = record["device"].get("name")
    return f"{name} with {processor}" if name else f"{processor}, no GPU"


def _commit(record: Record) -> Commit | None:
    git = record["git"]
    if git is None:
        return None
    changed = any(fnmatch(file, pattern) for file in git["changed"] for pattern in MADE_FROM)
    return Commit(git["commit"][:12], changed)


def keep(record: Record | None) -> dict[str, Any] | None:
    """The part of a record that the report keeps: all but settings and lists of libraries."""
    return None if record is None else {name: record[name] for name in KEPT}


def duration(seconds: float) -> str:
    """A time in hours, minutes or seconds.

    >>> duration(44), duration(660), duration(9000)
    ('44 seconds', '11 minutes', '2.5 hours')
    """
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"

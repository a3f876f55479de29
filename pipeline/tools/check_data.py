"""What is there of the data of the profile `paper`, what is missing, and what to do: one screen.

`python -m pipeline.tools.check_data` uses no network; with --online it asks for what is missing.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import requests
from tqdm import tqdm

from pipeline.published.download import (
    MIRROR,
    Downloads,
    MismatchError,
    downloads_of,
    verify,
)
from pipeline.published.resuming import TIMEOUT
from pipeline.published.sources import Sources
from pipeline.published.take import REPORT
from pipeline.shared.settings.params import load_params
from pipeline.shared.stage import run

PROFILE = "paper"


class State(NamedTuple):
    """Of a file: there, mirror, unverified, begun, missing or wrong; bytes, and a remark."""

    name: str
    state: str
    bytes: int | None
    remark: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--online", action="store_true", help="ask the sites for what is missing")
    online = parser.parse_args().online
    params = load_params().model_copy(update={"profile": PROFILE})
    downloads = downloads_of(params)
    names = tqdm(
        downloads.sources.files, desc="verifying", unit=" files", disable=None, leave=False
    )
    states = [state_of(name, downloads, online=online) for name in names]
    lines = [*table(states), *acquired(params.data / "acquire"), *advice(states, downloads)]
    sys.stdout.write("\n".join(lines) + "\n")
    if any(state.state in ("begun", "missing", "wrong") for state in states):
        sys.exit(1)


def state_of(name: str, downloads: Downloads[Sources], *, online: bool) -> State:
    """What there is of a file, and whether it is what it must be."""
    expected = downloads.expected(name)
    path = downloads.find(name)
    if path is None:
        part = downloads.folder / f"{name}.part"
        remark = _ask(downloads.sources.files[name].urls) if online else ""
        if part.is_file():
            remark = f"{_gb(part.stat().st_size)} of it are there{'; ' if remark else ''}{remark}"
            return State(name, "begun", expected.bytes, remark)
        return State(name, "missing", expected.bytes, remark)
    size = path.stat().st_size
    try:
        verify(path, expected, downloads.folder)
    except MismatchError as error:
        return State(name, "wrong", size, str(error))
    if expected.checksum is None:
        return State(name, "unverified", size, "no checksum yet; the stage acquire records it")
    inside = path.is_relative_to(downloads.folder)
    return State(name, "there" if inside else "mirror", size, "")


def table(states: list[State]) -> list[str]:
    """A line for each file, and those of what is wrong."""
    width = max(len(state.name) for state in states)
    return [
        f"{state.state:<10} {_gb(state.bytes):>9}  {state.name:<{width}}  {state.remark}".rstrip()
        for state in states
    ]


def acquired(folder: Path) -> list[str]:
    """Whether the stage acquire has unpacked the pages, and how many."""
    if not (folder / "counts.csv").is_file():
        stopped = folder.with_name(REPORT)
        where = f"; the last attempt stopped, see {stopped}" if stopped.is_file() else ""
        return ["", f"pages: not unpacked{where}"]
    taken: Counter[str] = Counter()
    listed: Counter[str] = Counter()
    with open(folder / "counts.csv", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            taken[f"{row['set']} {row['split']}"] += int(row["taken"])
            listed[f"{row['set']} {row['split']}"] += int(row["listed"])
    counts = ", ".join(f"{name} {taken[name]}/{listed[name]}" for name in listed)
    return ["", f"pages: {counts}; differences in {folder / REPORT}"]


def advice(states: list[State], downloads: Downloads[Sources]) -> list[str]:
    """What to do next."""
    missing = [state for state in states if state.state in ("begun", "missing")]
    wrong = [state for state in states if state.state == "wrong"]
    place = downloads.folder
    while not place.exists():
        place = place.parent
    free = _gb(shutil.disk_usage(place).free)
    if wrong:
        return [f"next: {len(wrong)} files are wrong; do what their lines say"]
    if not missing:
        return [f"next: set profile: {PROFILE} in params.yaml and run dvc repro ({free} free)"]
    known = _gb(sum(state.bytes or 0 for state in missing))
    unknown = sum(state.bytes is None for state in missing)
    return [
        f"next: set profile: {PROFILE} in params.yaml and run dvc repro; it downloads "
        f"{len(missing)} files, {known} and {unknown} of unknown size, to {downloads.folder} "
        f"({free} free).",
        f"Without a network: put them into a folder and name it by {MIRROR}, or by mirror in "
        "params.yaml.",
    ]


def _ask(urls: tuple[str, ...]) -> str:
    reasons = []
    for url in urls:
        try:
            with requests.get(url, stream=True, timeout=TIMEOUT) as answer:
                answer.raise_for_status()
                length = answer.headers.get("Content-Length")
                return f"{url} answers, {_gb(int(length) if length else None)}"
        except requests.RequestException as error:
            reasons.append(f"{url}: {type(error).__name__}")
    return "; ".join(reasons)


def _gb(size: int | None) -> str:
    if size is None:
        return "? GB"
    return f"{size / 1e9:.2f} GB" if size >= 1e7 else f"{size / 1e3:.0f} kB"


if __name__ == "__main__":
    run(main)

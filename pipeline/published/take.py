"""Pages for acquire from the published archives: downloaded, unpacked, checked, counted."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dgmp.images.reading import read_gray
from pipeline.preparation.folder import Row, check_splits, hold_out_writers
from pipeline.published.discrepancies import (
    Difference,
    Overlap,
    against_official,
    drop_doubled,
    overlaps,
    write_counts,
    write_rows,
)
from pipeline.published.download import Downloads
from pipeline.published.page_lists import Listed, key_of, read_list
from pipeline.published.resuming import check_room
from pipeline.published.sources import DataSet, File, Sources
from pipeline.published.unpack import ArchiveError, members, read_member, unpack
from pipeline.shared.page_lists import Page
from pipeline.shared.parallel import in_parallel
from pipeline.shared.settings.base import Task
from pipeline.shared.settings.data import AcquirePublished

log = logging.getLogger(__name__)

REPORT = "differences.csv"


class Wanted(NamedTuple):
    """A page to unpack; `member` is its whole name in the archive, None if it is not there."""

    set: str
    name: str
    page: Page
    archive: Path
    member: str | None
    size: int


@dataclass(frozen=True)
class Archive:
    """The files in an archive by name, and the names of its pages by key."""

    path: Path
    file: File
    sizes: Mapping[str, int]
    members: Mapping[str, str]
    pages: Mapping[str, str]


class _Job(NamedTuple):
    wanted: Wanted
    target: Path
    black_on_white: bool


class _Result(NamedTuple):
    wrong: str | None
    mostly_black: bool


def take_published(
    settings: AcquirePublished,
    target: Path,
    downloads: Downloads[Sources],
    *,
    tasks: Sequence[Task],
    key: str,
) -> dict[Task, list[Page]]:
    """Unpack the pages of all tasks to `target`/pages, and report what differs from the lists.

    Writes differences.csv, counts.csv and overlap.csv to `target`; where it stops,
    differences.csv goes to the folder around it.

    Args:
        settings: How validation writers are drawn, and whether to go on without pages.
        target: Where the pages go.
        downloads: The archives and page lists.
        tasks: The tasks.
        key: Name of the settings in messages.

    Raises:
        ValueError: a file cannot be had or is not what it must be, or pages are missing,
            unreadable or blank; the message names them.
    """
    sources = downloads.sources
    paths = downloads.obtain([*sources.lists, *sources.archives])
    listed: dict[Task, dict[str, list[Listed]]] = {}
    wanted: dict[Task, list[Wanted]] = {}
    found: list[Difference] = []
    for number, task in enumerate(tasks):
        data = sources.sets[task]
        listed[task] = {part.split: read_list(paths[part.list], part, data) for part in data.parts}
        kept, doubled = drop_doubled(listed[task], data)
        archives = {
            name: _look_into(paths[name], sources.files[name], data)
            for name in dict.fromkeys(part.archive for part in data.parts)
        }
        found += [*doubled, *_compare(data, listed[task], archives)]
        wanted[task] = _plan(data, kept, archives)
        if "val" not in kept:
            rng = np.random.default_rng((settings.seed, number))
            wanted[task] = _hold_out(wanted[task], settings.validation_fraction, rng)
    every = [page for pages in wanted.values() for page in pages]
    action = "left out" if settings.incomplete == "leave-out" else "stopped"
    lost, damaged = _unpack_all(every, target, action, binarized=sources.sets["writers"].name)
    found += damaged
    # Leaving pages out means to go on with the archives as they are.
    doubtful = {page.archive for page in lost if settings.incomplete == "stop"}
    downloads.record(name for name, path in paths.items() if path not in doubtful)
    for difference in found:
        log.warning("%s: %s: %s: %s", *difference)
    stopped = target.parent / REPORT
    stopped.unlink(missing_ok=True)
    if lost and settings.incomplete == "stop":
        write_rows(stopped, Difference._fields, found)
        names = [f"{d.set} {d.file}: {d.problem}" for d in damaged if d.action == action]
        raise ValueError(
            f"{len(lost)} pages are missing, unreadable or blank: {'; '.join(names)}: get their "
            f"archives anew, or set {key}.incomplete to leave-out in params.yaml to go on without "
            f"them; all differences are listed in {stopped}"
        )
    write_rows(target / REPORT, Difference._fields, found)
    write_counts(
        target / "counts.csv",
        sum((_listed(sources.sets[t].name, listed[t], wanted[t]) for t in tasks), Counter()),
        _count([page for page in every if page not in lost]),
    )
    _report_overlaps(target / "overlap.csv", [(sources.sets[t], listed[t]) for t in tasks])
    result: dict[Task, list[Page]] = {}
    for task in tasks:
        pages = [page.page for page in wanted[task] if page not in lost]
        rows = [Row(page.file, page.label, page.split, page.file) for page in pages]
        check_splits(Path(sources.sets[task].name), rows, writers=task == "writers")
        result[task] = pages
    return result


def _look_into(path: Path, file: File, data: DataSet) -> Archive:
    entries = members(path, file.folder or "")
    pages: dict[str, str] = {}
    for name in sorted(entries):
        key = key_of(name, data)
        if key is not None:
            pages.setdefault(key, name)
    return Archive(
        path,
        file,
        {name: entry.file_size for name, entry in entries.items()},
        {name: entry.filename for name, entry in entries.items()},
        pages,
    )


def _compare(
    data: DataSet, listed: Mapping[str, Sequence[Listed]], archives: Mapping[str, Archive]
) -> list[Difference]:
    """Differences in names; pages that are missing are found when they are unpacked."""
    found = []
    for name, archive in archives.items():
        splits = [part.split for part in data.parts if part.archive == name]
        pages = [page for split in splits for page in listed[split]]
        for page in pages:
            present = archive.pages.get(page.key, page.name)
            if present != page.name and Path(present).stem != page.name:
                found.append(
                    Difference(data.name, page.name, f"spelled {present} in {name}", "taken")
                )
        wanted = {page.key for page in pages}
        for present in sorted(archive.members):
            key = key_of(present, data)
            if key is not None and key not in wanted:
                problem = f"in {name}, not in a page list"
                found.append(Difference(data.name, present, problem, "left out"))
            elif key is not None and archive.pages[key] != present:
                problem = f"in {name} with {archive.pages[key]}, the same page by its name"
                found.append(Difference(data.name, present, problem, "left out"))
        official = archive.file.official_list
        if official and official in archive.members:
            try:
                text = read_member(archive.path, archive.members[official])
            except ArchiveError as error:
                found.append(Difference(data.name, official, str(error), "not compared"))
                continue
            found += against_official(text, official, pages, archive.pages, data)
        elif official:
            found.append(Difference(data.name, official, f"not in {name}", "not compared"))
    return found


def _plan(
    data: DataSet, kept: Mapping[str, Sequence[Listed]], archives: Mapping[str, Archive]
) -> list[Wanted]:
    planned = []
    for part in data.parts:
        archive = archives[part.archive]
        for listed in kept[part.split]:
            name = archive.pages.get(listed.key)
            file = f"pages/{archive.file.folder}/{name or listed.name}"
            page = Page(file, listed.label, part.split)
            member = archive.members[name] if name else None
            size = archive.sizes[name] if name else 0
            planned.append(Wanted(data.name, listed.name, page, archive.path, member, size))
    return planned


def _hold_out(wanted: Sequence[Wanted], fraction: float, rng: np.random.Generator) -> list[Wanted]:
    rows = [Row(w.page.file, w.page.label, w.page.split, w.page.file) for w in wanted]
    held_out = hold_out_writers(Path(wanted[0].set), rows, fraction, rng)
    return [
        w._replace(page=w.page._replace(split=row.split))
        for w, row in zip(wanted, held_out, strict=True)
    ]


def _unpack_all(
    wanted: Sequence[Wanted], target: Path, action: str, *, binarized: str
) -> tuple[set[Wanted], list[Difference]]:
    """Unpack and open each page; returns those that are lost, and what is wrong with pages."""
    check_room(target, sum(page.size for page in wanted), "unpacking")
    for folder in {(target / page.page.file).parent for page in wanted}:
        folder.mkdir(parents=True, exist_ok=True)
    jobs = [_Job(page, target / page.page.file, page.set == binarized) for page in wanted]
    lost: set[Wanted] = set()
    found = []
    results = in_parallel(_take, jobs, workers=_processors(), title="acquire")
    for page, result in zip(wanted, results, strict=True):
        if result.wrong:
            lost.add(page)
            found.append(Difference(page.set, page.name, result.wrong, action))
        elif result.mostly_black:
            problem = "mostly black, though pages are black on white"
            found.append(Difference(page.set, page.name, problem, "taken as it is"))
    return lost, found


def _take(job: _Job) -> _Result:
    if job.wanted.member is None:
        return _Result(f"not in {job.wanted.archive.name}", False)
    tones: list[float] = []

    def check(file: Path) -> str | None:
        try:
            page = read_gray(file)
        except ValueError as error:
            return str(error).removeprefix(f"{file} ").partition(":")[0]
        if job.black_on_white and page.min() == page.max():
            return "has no ink: all of it is one tone"
        tones.append(float(page.mean()))
        return None

    wrong = unpack(job.wanted.archive, job.wanted.member, job.target, check)
    return _Result(wrong, job.black_on_white and not wrong and tones[0] < 128)


def _processors() -> int:
    """Not workers of the profile, which is one where a GPU trains."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _count(pages: Sequence[Wanted]) -> Counter[tuple[str, str, str]]:
    return Counter((page.set, page.page.split, page.page.label) for page in pages)


def _listed(
    name: str, lists: Mapping[str, Sequence[Listed]], wanted: Sequence[Wanted]
) -> Counter[tuple[str, str, str]]:
    """Of the lists as they are, but for validation writers, which no list tells."""
    if "val" not in lists:
        return _count(wanted)
    return Counter((name, split, page.label) for split, pages in lists.items() for page in pages)


def _report_overlaps(file: Path, sets: Sequence[tuple[DataSet, dict[str, list[Listed]]]]) -> None:
    rows: list[Overlap] = []
    classes = [(data, lists) for data, lists in sets if data.classes is not None]
    for first, second in combinations(classes, 2):
        shared = overlaps(first, second)
        once = {(row.first, row.file.lower()) for row in shared}
        for split, count in sorted(Counter(split for split, _ in once).items()):
            log.info("%d pages of %s are in %s too: never mix them", count, split, second[0].name)
        rows += shared
    write_rows(file, Overlap._fields, rows)

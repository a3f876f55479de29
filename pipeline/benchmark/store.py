"""The store of pages that are built: what is missing in it is fetched, unpacked and built."""

from __future__ import annotations

import logging
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pipeline.benchmark.git_archive import take_files
from pipeline.benchmark.listing import Benchmark, ListedPage
from pipeline.benchmark.rebuilding import Build, build, is_built
from pipeline.published.download import Downloads
from pipeline.published.resuming import check_room
from pipeline.published.sources import Catalogue
from pipeline.shared.parallel import in_parallel

log = logging.getLogger(__name__)

MEGABYTE = 1_000_000


class Lost(NamedTuple):
    """A page that could not be built, and why."""

    page: str
    repository: str
    commit: str
    problem: str


class _Unpack(NamedTuple):
    archive: Path
    commit: str
    wanted: dict[str, str]
    target: Path


@dataclass(frozen=True)
class Store:
    """A folder of built pages, which stay there, so that a run goes on where one broke off.

    Attributes:
        benchmark: The repositories.
        folder: Where pages go, under their names.
        unpacked: A folder for files of the repositories, removed when pages are built.
        downloads: The archives.
        workers: Processes that unpack and build.
    """

    benchmark: Benchmark
    folder: Path
    unpacked: Path
    downloads: Downloads[Catalogue]
    workers: int

    def fill(self, pages: Sequence[ListedPage], *, stop: bool) -> list[Lost]:
        """Build the pages that are not there yet; returns those that cannot be built.

        Args:
            pages: All pages, each once.
            stop: Whether an archive that cannot be had is an error at once.

        Raises:
            ValueError: an archive cannot be had, or the disk has no room.
        """
        jobs = [Build(page, self.unpacked, self.folder / page.file) for page in pages]
        there = [job for job in jobs if job.target.is_file()]
        checked = in_parallel(is_built, there, workers=self.workers, title="acquire: built before")
        built = {job.target for job, done in zip(there, checked, strict=True) if done}
        jobs = [job for job in jobs if job.target not in built]
        try:
            problems = self._unpack([job.page for job in jobs], stop=stop)
            return self._build(jobs, problems)
        finally:
            shutil.rmtree(self.unpacked, ignore_errors=True)

    def _unpack(self, pages: Sequence[ListedPage], *, stop: bool) -> dict[str, Mapping[str, str]]:
        """Write the files that pages are built from; what is wrong by repository and path."""
        wanted: dict[str, dict[str, str]] = defaultdict(dict)
        for page in pages:
            wanted[page.repository] |= page.sources
        archives, problems = self._archives(wanted, stop=stop)
        jobs = [
            _Unpack(path, self.benchmark.repositories[name].commit, wanted[name], self.unpacked)
            for name, path in archives.items()
        ]
        if jobs:
            self.unpacked.mkdir(parents=True, exist_ok=True)
            # Images do not become smaller in an archive, and it holds more than the wanted ones.
            packed = sum(path.stat().st_size for path in archives.values())
            check_room(self.unpacked, packed, "unpacking")
        title, unit = "acquire: unpacking", "repositories"
        results = in_parallel(_take, jobs, workers=self.workers, title=title, unit=unit)
        return problems | dict(zip(archives, results, strict=True))

    def _archives(
        self, wanted: Mapping[str, Mapping[str, str]], *, stop: bool
    ) -> tuple[dict[str, Path], dict[str, Mapping[str, str]]]:
        """The archives that can be had, and what is wrong with files of the others."""
        names = {name: self.benchmark.archive_name(name) for name in wanted}
        missing = [name for name, file in names.items() if self.downloads.find(file) is None]
        if missing:
            self.downloads.folder.mkdir(parents=True, exist_ok=True)
            size = sum(self.benchmark.repositories[name].megabytes for name in missing) * MEGABYTE
            check_room(self.downloads.folder, size, f"{len(missing)} archives")
        found: dict[str, Path] = {}
        problems: dict[str, Mapping[str, str]] = {}
        for name, file in names.items():
            try:
                found[name] = self.downloads.obtain([file])[file]
            except ValueError as error:
                commit = self.benchmark.repositories[name].commit
                if stop:
                    raise ValueError(f"{name} at commit {commit}: {error}") from None
                log.warning("%s at commit %s: %s", name, commit, error)
                problems[name] = dict.fromkeys(wanted[name], "the archive cannot be had")
        return found, problems

    def _build(
        self, jobs: Sequence[Build], problems: Mapping[str, Mapping[str, str]]
    ) -> list[Lost]:
        wrong: dict[str, str] = {}
        for page in (job.page for job in jobs):
            of_files = problems[page.repository]
            paths: dict[str, list[str]] = defaultdict(list)
            for path in page.sources.keys() & of_files.keys():
                paths[of_files[path]].append(path)
            if paths:
                told = (f"{', '.join(sorted(those))}: {reason}" for reason, those in paths.items())
                wrong[page.file] = "; ".join(told)
        sound = [job for job in jobs if job.page.file not in wrong]
        results = in_parallel(build, sound, workers=self.workers, title="acquire: building")
        differ = []
        for job, result in zip(sound, results, strict=True):
            if result.wrong:
                wrong[job.page.file] = result.wrong
            elif result.differs:
                differ.append(job.page.file)
        if differ:
            log.warning(
                "%d pages differ in pixels from those that were listed, e.g. %s: another version "
                "of OpenCV or libjpeg; scores may differ in the last digit",
                len(differ),
                differ[0],
            )
        return [
            Lost(page.file, page.repository, self._commit(page), wrong[page.file])
            for page in (job.page for job in jobs)
            if page.file in wrong
        ]

    def _commit(self, page: ListedPage) -> str:
        return self.benchmark.repositories[page.repository].commit


def _take(job: _Unpack) -> dict[str, str]:
    return take_files(job.archive, job.commit, job.wanted, job.target)

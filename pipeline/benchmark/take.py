"""Pages for acquire from the open benchmark: the lists of its tasks, and the pages in them."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.benchmark.listing import (
    BENCHMARK_FILE,
    PAGES,
    Benchmark,
    ListedPage,
    load_benchmark,
    read_listed,
)
from pipeline.benchmark.store import Lost, Store
from pipeline.preparation.folder import Row, with_validation
from pipeline.published.discrepancies import write_rows
from pipeline.published.download import MIRROR, Downloads, mirror_of
from pipeline.shared.page_lists import Page
from pipeline.shared.settings.base import Task
from pipeline.shared.settings.data import AcquireBenchmark
from pipeline.shared.settings.params import Params

log = logging.getLogger(__name__)

REPORT = "lost_pages.csv"


def take_benchmark(
    settings: AcquireBenchmark, target: Path, params: Params, *, tasks: Sequence[Task], key: str
) -> dict[Task, list[Page]]:
    """Rebuild the pages of all tasks and copy them to `target`/pages.

    Built pages and archives stay in pages and downloads beside `target`; lost_pages.csv there
    tells of pages that could not be built.

    Args:
        settings: How validation pages are drawn, and whether to go on without pages.
        target: Where the pages go.
        params: All settings, for the folder of the profile, its workers and the mirror.
        tasks: The tasks.
        key: Name of the settings in messages.

    Raises:
        ValueError: an archive cannot be had, or pages cannot be built from it; the message names
            repository, commit and path.
    """
    benchmark = load_benchmark()
    files = {task: BENCHMARK_FILE.with_suffix("") / benchmark.tasks[task].pages for task in tasks}
    listed = {task: _listed(benchmark, task, files[task]) for task in tasks}
    pages = {page.file: page for chosen in listed.values() for page in chosen}
    data = params.data
    downloads = Downloads(
        benchmark.catalogue(), data / "downloads", mirror_of(params), listed_in=BENCHMARK_FILE
    )
    workers = params.active.workers
    store = Store(benchmark, data / PAGES, data / "unpacked", downloads, workers)
    lost = store.fill(list(pages.values()), stop=settings.incomplete == "stop")
    _report(lost, data / REPORT, settings, key)
    kept = pages.keys() - {page.page for page in lost}
    for file in kept:
        (target / PAGES / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(store.folder / file, target / PAGES / file)
    lists: dict[Task, list[Page]] = {}
    for number, task in enumerate(tasks):
        columns = benchmark.tasks[task]
        rows = [
            Row(
                page.file,
                page.cell(columns.label),
                page.split,
                page.cell(columns.group) if columns.group else page.file,
            )
            for page in listed[task]
            if page.file in kept
        ]
        rng = np.random.default_rng((settings.seed, number))
        fraction = settings.validation_fraction
        writers = task == "writers"
        rows = with_validation(files[task], rows, fraction, rng, writers=writers)
        lists[task] = [row.page for row in rows]
    return lists


def _listed(benchmark: Benchmark, task: Task, file: Path) -> list[ListedPage]:
    """The pages of a task: those with a label, whose `label` is not left out."""
    columns = benchmark.tasks[task]
    wanted = {"label", columns.label, *filter(None, [columns.group])}
    pages = [p for p in read_listed(file, benchmark, wanted) if p.cell(columns.label)]
    for label, reason in benchmark.left_out.items():
        out = [page for page in pages if page.cell("label") == label]
        if out:
            log.info("acquire %s: %d pages of %s left out: %s", task, len(out), label, reason)
        pages = [page for page in pages if page not in out]
    return pages


def _report(lost: Sequence[Lost], file: Path, settings: AcquireBenchmark, key: str) -> None:
    file.unlink(missing_ok=True)
    if not lost:
        return
    write_rows(file, Lost._fields, lost)
    first = "; ".join(
        f"{page.page}: {page.repository} at commit {page.commit}: {page.problem}"
        for page in lost[:3]
    )
    told = f"{len(lost)} pages cannot be built, all listed in {file}: {first}"
    if settings.incomplete == "leave-out":
        log.warning("%s: left out", told)
        return
    raise ValueError(
        f"{told}: delete the archive that is wrong and run again, or put a whole one into a folder "
        f"named by {MIRROR}; or set {key}.incomplete to leave-out in params.yaml to go on without"
    )

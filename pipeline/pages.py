"""What the image stages share: lists of pages, parallel work on them, folders replaced whole."""

import csv
import os
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
from tqdm import tqdm

Job = TypeVar("Job")
Result = TypeVar("Result")

SPLITS = ("train", "val", "test")


class Page(NamedTuple):
    """A row of a page list; `file` is relative to the folder of the list.

    `group` is what pages of one source share, e.g. a manuscript; empty: the page is alone.
    """

    file: str
    label: str
    split: str
    group: str = ""


def read_pages(list_file: Path) -> list[Page]:
    """Read a page list written by `write_pages`.

    Raises:
        ValueError: the list is missing, or was written without one of the columns.
    """
    if not list_file.is_file():
        raise ValueError(f"{list_file} is missing: run the stage {list_file.parent.name}")
    with open(list_file, encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines)
        missing = [name for name in Page._fields if name not in (rows.fieldnames or ())]
        if missing:
            raise ValueError(
                f"{list_file} has no column {', '.join(missing)}: run `dvc repro "
                f"{list_file.parent.name}`"
            )
        return [Page(*(row[name] for name in Page._fields)) for row in rows]


def write_pages(list_file: Path, pages: Iterable[Page]) -> None:
    """Write a page list as csv with the columns file, label, split, group."""
    with open(list_file, "w", encoding="utf-8", newline="") as lines:
        rows = csv.writer(lines, lineterminator="\n")
        rows.writerow(Page._fields)
        rows.writerows(pages)


@contextmanager
def fresh_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder that takes the place of `folder` if the block ends without an error."""
    building = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    try:
        yield building
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(building, folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def in_parallel(
    work: Callable[[Job], Result],
    jobs: Sequence[Job],
    *,
    workers: int,
    title: str,
    unit: str = "pages",
) -> Iterator[Result]:
    """Yield work(job) for each job in order, from worker processes, with a progress bar.

    The first error ends the remaining jobs and is raised here.

    Raises:
        OSError: a worker process was killed, which is most often for want of memory.
    """
    bar = tqdm(total=len(jobs), desc=title, unit=f" {unit}", disable=None)
    if workers == 1 or len(jobs) < 2:
        with bar:
            for job in jobs:
                yield work(job)
                bar.update()
        return
    # Small batches: results of finished jobs wait in memory for those before them.
    batch = max(1, min(8, len(jobs) // (8 * workers)))
    # Spawned, because a forked process hangs on OpenCV's threads where the parent used them.
    with bar, ProcessPoolExecutor(workers, get_context("spawn"), _start_worker) as pool:
        try:
            for result in pool.map(work, jobs, chunksize=batch):
                yield result
                bar.update()
        except BrokenProcessPool:
            raise OSError(
                f"{title}: a worker process was killed, most often for want of memory: "
                "lower workers of the profile in params.yaml"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    cv2.setNumThreads(1)
    # Ctrl-C reaches all processes; the parent answers for them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

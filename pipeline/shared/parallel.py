"""Work on many pages in several processes."""

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

import cv2
from tqdm import tqdm

Job = TypeVar("Job")
Result = TypeVar("Result")


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

"""Jobs in several processes by joblib, with an error that says what to do if one is killed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import joblib
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError


def side_by_side(jobs: Iterable[Any], workers: int | None, what: str) -> Iterator[Any]:
    """Results of delayed calls, in their order.

    Args:
        jobs: Of `joblib.delayed`.
        workers: Processes of this machine; None: those of the cluster in force.
        what: They do, for the error.

    Raises:
        OSError: a process was killed.
    """
    try:
        yield from joblib.Parallel(n_jobs=workers, return_as="generator")(jobs)
    except TerminatedWorkerError:
        raise OSError(
            f"{what}: a worker process was killed, most often for want of memory: lower "
            "search.workers; the pages that are described are kept"
        ) from None
    finally:
        if workers not in (None, 1):
            get_reusable_executor().shutdown()  # its processes keep their memory

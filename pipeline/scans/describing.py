"""Local descriptors of scans, side by side, in a store that survives a kill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import cv2
import joblib
from tqdm import tqdm

from dgmp import __file__ as package
from dgmp.scans.layout import text_mask
from dgmp.scans.reading import read_scan
from dgmp.scans.scan import Refused, Scan
from dgmp.search.described import DescribedScan, describe_scan
from pipeline.scans.side_by_side import side_by_side
from pipeline.shared.provenance import digest_of
from pipeline.shared.settings.search import Search

HOME = Path(package).parent
CODE = (
    *sorted((HOME / "images").glob("*.py")),
    *sorted((HOME / "scans").glob("*.py")),
    HOME / "encoding" / "local_descriptors.py",
    HOME / "search" / "described.py",
    HOME / "search" / "working_page.py",
)
"""What a described scan depends on besides the scan."""

CONNECT = 10
"""Seconds that a cluster has to answer."""


def describe_scans(
    scans: Sequence[Scan], settings: Search, store: Path
) -> Iterator[DescribedScan | Refused]:
    """Describe scans in their order; one that cannot be read is refused with the reason.

    Args:
        scans: They may be read from here and, with a cluster, from its workers.
        settings: `workers` processes on this machine, or a cluster.
        store: Folder of scans that were described before; they are not described again. Another
            size, time or layout of a file, and other code, count as another scan.

    Raises:
        OSError: a process was killed, or the cluster does not answer.
    """
    memory = joblib.Memory(store.resolve(), verbose=0)
    code = digest_of(CODE)
    jobs = (joblib.delayed(_describe)(memory, scan, settings.most, code) for scan in scans)
    bar = tqdm(total=len(scans), desc="describe", unit=" pages", disable=None)
    with bar, ExitStack() as stack:
        if settings.cluster is not None:
            stack.enter_context(_on_cluster(settings.cluster))
        workers = None if settings.cluster else 1 if len(scans) < 2 else settings.workers
        for found in side_by_side(jobs, workers, "describe"):
            yield found
            bar.update()


@contextmanager
def _on_cluster(address: str) -> Iterator[None]:
    try:
        from dask.distributed import Client
    except ImportError:
        raise ValueError(
            "search.cluster needs the extra cluster: pip install '.[cluster]'"
        ) from None
    try:
        client = Client(address, timeout=CONNECT)
    except (OSError, ValueError) as error:
        raise OSError(
            f"search.cluster: no scheduler answers at {address} ({error}): start one, or leave "
            "search.cluster empty"
        ) from None
    with client, joblib.parallel_config("dask", n_jobs=-1, client=client):
        yield


def _describe(memory: joblib.Memory, scan: Scan, most: int, code: str) -> DescribedScan | Refused:
    cv2.setNumThreads(1)
    try:
        stamps = tuple(_stamp(file) for file in (scan.file, scan.layout) if file is not None)
        found: DescribedScan = memory.cache(described, verbose=0)(
            str(scan.file), scan.page, scan.layout and str(scan.layout), most, stamps, code
        )
    except (OSError, ValueError) as error:
        return Refused(scan.name, str(error))
    return found


def _stamp(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns


def described(
    file: str,
    page: int,
    layout: str | None,
    most: int,
    stamps: tuple[tuple[int, int], ...],
    code: str,
) -> DescribedScan:
    """Read and describe one scan; stamps and code only tell one call from another."""
    scan = Scan(file, Path(file), page=page, layout=None if layout is None else Path(layout))
    image = read_scan(scan)
    return describe_scan(image, text_mask(scan, image.shape), most=most)

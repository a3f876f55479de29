"""Describing on a Dask cluster of real processes."""

import os
import signal
from dataclasses import replace

import pytest
from distributed import LocalCluster

from pipeline.scans.describing import describe_scans
from tests.pipeline.scans.test_describing import same, scans, settings  # noqa: F401


@pytest.fixture
def cluster():
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs="CRITICAL"
    ) as made:
        yield made


@pytest.mark.slow
def test_workers_killed_in_turn_lose_nothing(cluster, scans, tmp_path):  # noqa: F811
    twice = [replace(scan, page=1, name=f"{turn} {scan.name}") for turn in "ab" for scan in scans]
    chosen = settings(cluster=cluster.scheduler_address)
    found = []
    for place, page in enumerate(describe_scans(twice, chosen, tmp_path / "cluster")):
        found.append(page)
        if place in (0, 3):
            worker = list(cluster.workers.values())[place % 2]
            os.kill(worker.process.pid, signal.SIGKILL)
    alone = describe_scans(twice, settings(), tmp_path / "alone")
    assert all(same(*pair) for pair in zip(found, alone, strict=True))


def test_errors_no_cluster_at_the_address(scans, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr("pipeline.scans.describing.CONNECT", 1)
    chosen = settings(cluster="tcp://127.0.0.1:9")
    with pytest.raises(OSError, match=r"search\.cluster: no scheduler answers at tcp://127"):
        list(describe_scans(scans, chosen, tmp_path))

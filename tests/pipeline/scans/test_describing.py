import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from dgmp.scans.scan import Refused, Scan
from dgmp.scribes import draw_scribe, write_page
from dgmp.search.described import DescribedScan
from pipeline.scans.describing import describe_scans
from pipeline.shared.settings.search import Search

ROOT = Path(__file__).parents[3]


def settings(**changes) -> Search:
    usual = {
        "pages": None, "width": 2000, "most": 300, "least": 50, "vocabulary": "auto", "evidence": 1,
        "judged": None, "workers": 1, "cluster": None,
    }  # fmt: skip
    return Search(**usual | changes)


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> list[Scan]:
    folder = tmp_path_factory.mktemp("scans")
    rng = np.random.default_rng(0)
    found = []
    for number in range(6):
        scribe = draw_scribe("Caroline", rng)
        page = write_page(scribe, rng, height=240, width=320, line_pitch=40)
        cv2.imwrite(str(folder / f"{number}.png"), page)
        found.append(Scan(f"{number}.png", folder / f"{number}.png"))
    return found


def same(one: DescribedScan, other: DescribedScan) -> bool:
    return all(
        np.array_equal(getattr(one.local, name), getattr(other.local, name))
        for name in ("sift", "positions", "sizes")
    ) and (one.jpeg.tobytes(), one.scale, one.pen) == (other.jpeg.tobytes(), other.scale, other.pen)


@pytest.mark.slow
def test_processes_give_what_one_gives(scans, tmp_path):
    alone = list(describe_scans(scans, settings(), tmp_path / "alone"))
    together = list(describe_scans(scans, settings(workers=2), tmp_path / "together"))
    assert all(same(*pair) for pair in zip(alone, together, strict=True))
    assert all(len(page.local.sift) > 50 for page in alone)


def test_pages_that_are_done_are_not_described_again(scans, tmp_path, monkeypatch):
    before = list(describe_scans(scans, settings(), tmp_path))
    monkeypatch.setattr("pipeline.scans.describing.read_scan", lambda scan: pytest.fail("read"))
    after = list(describe_scans(scans, settings(), tmp_path))
    assert all(same(*pair) for pair in zip(before, after, strict=True))


def test_a_page_that_changed_is_described_again(scans, tmp_path):
    (first,) = describe_scans(scans[:1], settings(), tmp_path)
    scan = Scan("copy", tmp_path / "copy.png")
    scan.file.write_bytes(scans[0].file.read_bytes())
    (copied,) = describe_scans([scan], settings(), tmp_path)
    assert same(first, copied)
    scan.file.write_bytes(scans[1].file.read_bytes())
    (changed,) = describe_scans([scan], settings(), tmp_path)
    assert not same(first, changed)


def test_a_page_that_cannot_be_read_is_refused_and_the_others_go_on(scans, tmp_path):
    broken = Scan("broken.png", tmp_path / "broken.png")
    broken.file.write_bytes(b"\x89PNG\r\n\x1a\n")
    missing = Scan("missing.png", tmp_path / "missing.png")
    found = list(describe_scans([broken, scans[0], missing], settings(), tmp_path / "store"))
    assert [type(one) for one in found] == [Refused, DescribedScan, Refused]
    assert found[0].name == "broken.png"
    assert "broken.png" in found[0].reason
    assert "\n" not in found[0].reason


DESCRIBE = """
import sys
from pathlib import Path
from dgmp.scans.scan import Scan
from pipeline.scans.describing import describe_scans
from tests.pipeline.scans.test_describing import settings

if __name__ == "__main__":
    store, *files = map(Path, sys.argv[1:])
    for found in describe_scans([Scan(f.name, f) for f in files], settings(workers=2), store):
        print("done", flush=True)
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_with_the_pages_that_are_done(scans, tmp_path):
    command = [sys.executable, "-c", DESCRIBE, str(tmp_path), *(str(one.file) for one in scans)]
    first = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert first.stdout is not None
    assert first.stdout.readline() == "done\n"
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    time.sleep(0.1)
    done = len(list(tmp_path.rglob("output.pkl")))
    assert done >= 1
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert second.stdout.count("done") == len(scans)
    assert len(list(tmp_path.rglob("output.pkl"))) == len(scans)

import hashlib
from pathlib import Path
from typing import Any

import pytest
import requests

from pipeline.published.download import Downloads
from pipeline.published.sources import Found, Sources, record_found
from pipeline.tools.check_data import acquired, advice, state_of, table
from tests.rehearsal.server import serve

CHECKSUM = f"md5:{hashlib.md5(b'right').hexdigest()}"
NAMES = ("there", "mirror", "wrong", "begun", "unverified", "missing")


@pytest.fixture
def downloads(tmp_path) -> Downloads:
    files = {
        f"{name}.txt": {
            "origin": "o",
            "urls": [f"http://127.0.0.1:1/{name}.txt"],
            "bytes": None,
            "checksum": None if name == "unverified" else CHECKSUM,
        }
        for name in NAMES
    }
    content = {
        "origins": {"o": {"licence": "none", "citation": "none"}},
        "files": files,
        "weights": {"resnet50": "there.txt"},
        "sets": {},
    }
    for folder in ("downloads", "mirror/deep"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "mirror/deep/mirror.txt").write_bytes(b"right")
    (tmp_path / "mirror/wrong.txt").write_bytes(b"wrong")
    for name in ("there.txt", "unverified.txt"):
        (tmp_path / "downloads" / name).write_bytes(b"right")
    (tmp_path / "downloads/begun.txt.part").write_bytes(b"ri")
    return Downloads(
        Sources.model_validate(content),
        tmp_path / "downloads",
        tmp_path / "mirror",
        tmp_path / "checksums.yaml",
    )


def states(downloads: Downloads, *, online: bool = False) -> dict[str, Any]:
    return {name: state_of(f"{name}.txt", downloads, online=online) for name in NAMES}


def test_oracle_states_without_a_network(downloads, monkeypatch):
    def offline(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(requests.Session, "request", offline)
    found = states(downloads)
    assert {name: state.state for name, state in found.items()} == {name: name for name in NAMES}
    assert f"expected {CHECKSUM}" in found["wrong"].remark
    lines = table(list(found.values()))
    assert len(lines) == len(NAMES)
    assert "do what their lines say" in advice(list(found.values()), downloads)[0]
    rest = [state for name, state in found.items() if name != "wrong"]
    assert "it downloads 2 files" in advice(rest, downloads)[0]
    assert "DGMP_MIRROR" in advice(rest, downloads)[1]
    assert "run dvc repro" in advice([found["there"]], downloads)[0]


def test_oracle_a_recorded_checksum_counts(downloads, tmp_path):
    wrong = Found(bytes=5, checksum=f"md5:{'0' * 32}")
    record_found("unverified.txt", wrong, tmp_path / "checksums.yaml")
    assert states(downloads)["unverified"].state == "wrong"


def test_smoke_sites_are_asked_only_for_what_is_missing(downloads, tmp_path):
    assert "ConnectionError" in states(downloads, online=True)["missing"].remark
    (tmp_path / "site").mkdir()
    (tmp_path / "site/missing.txt").write_bytes(b"right")
    with serve(tmp_path / "site") as site:
        content = downloads.sources.model_dump()
        for name in NAMES:
            content["files"][f"{name}.txt"]["urls"] = [site.url(f"{name}.txt")]
        downloads.sources = Sources.model_validate(content)
        found = states(downloads, online=True)
        assert "answers, 0 kB" in found["missing"].remark
        assert "HTTPError" in found["begun"].remark
        assert {path for path, _ in site.requests} == {"/files/missing.txt", "/files/begun.txt"}


def test_smoke_pages(tmp_path):
    folder = tmp_path / "acquire"
    assert acquired(folder)[-1] == "pages: not unpacked"
    (tmp_path / "differences.csv").touch()
    assert "the last attempt stopped" in acquired(folder)[-1]
    folder.mkdir()
    Path(folder / "counts.csv").write_text(
        "set,split,label,listed,taken\nA,train,x,3,3\nA,train,y,3,2\nA,test,x,1,1\n"
    )
    assert "A train 5/6, A test 1/1" in acquired(folder)[-1]

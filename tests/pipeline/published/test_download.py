"""Downloads from a real server on loopback that breaks off, changes its files and lies."""

import hashlib
import io
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from pipeline.published import resuming
from pipeline.published.download import Downloads, MismatchError
from pipeline.published.sources import Sources, read_found
from tests.rehearsal.server import Site, serve

NAME = "pages.zip"


def zipped(seed: int) -> bytes:
    """An archive of some hundred kilobytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("top/page.tif", hashlib.shake_256(bytes([seed])).digest(300_000))
    return content.getvalue()


DATA = zipped(0)


def digest(data: bytes, kind: str = "sha256") -> str:
    return f"{kind}:{hashlib.new(kind, data).hexdigest()}"


def sources_of(*urls: str, record: str | None = None, **known: Any) -> Sources:
    file = {"origin": "o", "urls": urls, "bytes": None, "checksum": None, "folder": "top"} | known
    origin = {"licence": "none", "citation": "none", "record": record}
    content = {
        "origins": {"o": origin},
        "files": {NAME: file},
        "weights": {"resnet50": NAME},
        "sets": {},
    }
    return Sources.model_validate(content)


class Place(NamedTuple):
    site: Site
    folder: Path
    mirror: Path

    def downloads(self, *, mirror: bool = False, **known: Any) -> Downloads:
        urls = known.pop("urls", [self.site.url(NAME)])
        return Downloads(
            sources_of(*urls, **known),
            self.folder / "downloads",
            self.mirror if mirror else None,
            self.folder / "checksums.yaml",
        )

    def leave_part(self, data: bytes, tag: str | None = None) -> None:
        """What an interrupted run leaves behind."""
        (self.folder / "downloads").mkdir()
        part = self.folder / "downloads" / f"{NAME}.part"
        part.write_bytes(data)
        if tag is not None:
            part.with_name(f"{NAME}.part.validator").write_text(tag)


@pytest.fixture
def place(tmp_path, monkeypatch) -> Iterator[Place]:
    monkeypatch.setattr(resuming, "PAUSE", 0.01)
    for name in ("site", "mirror"):
        (tmp_path / name).mkdir()
    (tmp_path / "site" / NAME).write_bytes(DATA)
    with serve(tmp_path / "site") as site:
        yield Place(site, tmp_path, tmp_path / "mirror")


def obtained(downloads: Downloads) -> bytes:
    path = downloads.obtain([NAME])[NAME]
    downloads.record([NAME])
    return path.read_bytes()


def test_smoke_a_verified_download_is_made_once(place):
    downloads = place.downloads(checksum=digest(DATA), bytes=len(DATA))
    assert obtained(downloads) == DATA
    assert obtained(downloads) == DATA
    assert place.site.asked_for(NAME) == [None]
    assert [path.name for path in (place.folder / "downloads").iterdir()] == [NAME]
    assert not (place.folder / "checksums.yaml").exists()


def test_property_a_broken_transfer_goes_on_where_it_was(place):
    place.site.break_off = {NAME}
    assert obtained(place.downloads()) == DATA
    first, second = place.site.asked_for(NAME)
    assert first is None
    assert 0 < int(second.removeprefix("bytes=").rstrip("-")) < len(DATA)


def test_property_an_interrupted_run_goes_on_where_it_was(place):
    place.leave_part(DATA[:1000], tag=f'"{hashlib.md5(DATA).hexdigest()}"')
    assert obtained(place.downloads()) == DATA
    assert place.site.asked_for(NAME) == ["bytes=1000-"]


def test_property_a_part_of_another_version_is_dropped(place):
    place.leave_part(zipped(1)[:1000], tag='"of another version"')
    assert obtained(place.downloads()) == DATA


def test_property_a_part_of_unknown_version_is_continued_only_under_a_checksum(place):
    place.leave_part(DATA[:1000])
    assert obtained(place.downloads()) == DATA
    assert place.site.asked_for(NAME) == [None]
    shutil.rmtree(place.folder / "downloads")
    place.leave_part(DATA[:1000])
    assert obtained(place.downloads(checksum=digest(DATA))) == DATA
    assert place.site.asked_for(NAME)[1:] == ["bytes=1000-"]


def test_property_a_whole_part_needs_no_byte_more(place):
    place.leave_part(DATA, tag=f'"{hashlib.md5(DATA).hexdigest()}"')
    assert obtained(place.downloads()) == DATA
    assert place.site.asked_for(NAME) == [f"bytes={len(DATA)}-"]


def test_property_a_server_without_ranges_starts_over(place):
    place.site.ranges = False
    place.site.break_off = {NAME}
    assert obtained(place.downloads()) == DATA


def test_property_addresses_are_tried_in_turn(place):
    addresses = [
        "http://127.0.0.1:1/nobody-listens",
        f"{place.site.address}/moved",
        place.site.url(NAME),
    ]
    assert obtained(place.downloads(urls=addresses)) == DATA


def test_property_what_is_unknown_is_recorded_and_held_against_later_files(place):
    obtained(place.downloads())
    found = read_found(place.folder / "checksums.yaml")[NAME]
    assert (found.bytes, found.checksum) == (len(DATA), digest(DATA))
    shutil.rmtree(place.folder / "downloads")
    (place.site.folder / NAME).write_bytes(zipped(1))
    with pytest.raises(
        ValueError, match=r"pages\.zip cannot be downloaded: .*" + found.checksum[7:]
    ):
        obtained(place.downloads())
    assert read_found(place.folder / "checksums.yaml")[NAME] == found


def test_property_nothing_is_recorded_before_it_proved_right(place):
    place.downloads().obtain([NAME])
    assert not (place.folder / "checksums.yaml").exists()
    shutil.rmtree(place.folder / "downloads")
    (place.site.folder / NAME).write_bytes(zipped(1))
    assert obtained(place.downloads()) == zipped(1)


def test_property_the_record_is_asked_for_checksum_and_licence(place):
    place.site.record = [NAME]
    record = f"{place.site.address}/record"
    obtained(place.downloads(record=record))
    found = read_found(place.folder / "checksums.yaml")[NAME]
    assert found.published == digest(DATA, "md5")
    assert found.licence == "cc-by-4.0"
    (place.folder / "checksums.yaml").unlink()
    (place.folder / "downloads" / NAME).write_bytes(zipped(1))
    with pytest.raises(MismatchError, match=rf"expected {found.published}, found md5:"):
        obtained(place.downloads(record=record))


def test_property_a_record_that_is_down_stops_nothing(place, caplog):
    assert obtained(place.downloads(record=f"{place.site.address}/gone")) == DATA
    assert "does not tell checksums (404" in caplog.text
    assert read_found(place.folder / "checksums.yaml")[NAME].published is None


def test_property_the_mirror_is_used_in_place_and_not_changed(place):
    file = place.mirror / "deep" / "er" / NAME
    file.parent.mkdir(parents=True)
    file.write_bytes(DATA)
    file.chmod(0o444)
    downloads = place.downloads(mirror=True, checksum=digest(DATA))
    assert downloads.obtain([NAME])[NAME] == file
    assert place.site.requests == []
    assert not (place.folder / "downloads").exists()
    assert [path for path in place.mirror.rglob("*") if path.is_file()] == [file]


def test_errors_a_wrong_file_in_the_mirror(place):
    (place.mirror / NAME).write_bytes(zipped(1))
    with pytest.raises(
        MismatchError, match=r"expected sha256:.*, found sha256:.*in the mirror.*delete its ent"
    ):
        obtained(place.downloads(mirror=True, checksum=digest(DATA)))
    with pytest.raises(MismatchError, match=rf"expected 5 bytes, found {len(DATA)}: replace it"):
        obtained(place.downloads(mirror=True, bytes=5))
    (place.mirror / NAME).write_bytes(b"<html>")
    with pytest.raises(MismatchError, match="expected a zip archive, found something else"):
        obtained(place.downloads(mirror=True))
    assert not (place.folder / "checksums.yaml").exists()


def test_errors_an_absent_mirror(place):
    place.mirror.rmdir()
    with pytest.raises(ValueError, match="mirror is no folder: correct DGMP_MIRROR or mirror"):
        obtained(place.downloads(mirror=True))


def test_errors_a_wrong_download_is_not_kept(place):
    (place.site.folder / NAME).write_bytes(zipped(1))
    with pytest.raises(ValueError, match=rf"{digest(DATA)[7:]}.*run again .* DGMP_MIRROR"):
        obtained(place.downloads(checksum=digest(DATA)))
    assert list((place.folder / "downloads").iterdir()) == []


def test_errors_a_download_of_another_size_is_not_begun(place):
    with pytest.raises(ValueError, match=rf"the server has {len(DATA)} bytes, expected 7"):
        obtained(place.downloads(bytes=7))
    assert list((place.folder / "downloads").iterdir()) == []


def test_errors_a_web_page_in_place_of_the_file(place):
    (place.site.folder / "login.html").write_text("<html>please log in</html>")
    with pytest.raises(ValueError, match="a web page in place of the file"):
        obtained(place.downloads(urls=[place.site.url("login.html")]))


def test_errors_a_full_disk(place, monkeypatch):
    monkeypatch.setattr(resuming, "RESERVE", 1 << 60)
    with pytest.raises(ValueError, match=r"1 downloads: .* needs 0\.00 GB, free are .*make room"):
        obtained(place.downloads(bytes=len(DATA)))
    assert place.site.requests == []


def test_property_what_is_there_of_a_download_needs_no_room(place, monkeypatch):
    place.leave_part(DATA[:-1000], tag=f'"{hashlib.md5(DATA).hexdigest()}"')
    usage = shutil.disk_usage(place.folder)
    free = resuming.RESERVE + 1000
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free))
    assert obtained(place.downloads(bytes=len(DATA))) == DATA
    shutil.rmtree(place.folder / "downloads")
    with pytest.raises(ValueError, match="make room"):
        obtained(place.downloads(bytes=len(DATA)))


def test_errors_a_disk_too_small_for_what_the_server_tells(place, monkeypatch):
    usage = shutil.disk_usage(place.folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=resuming.RESERVE + 9))
    with pytest.raises(ValueError, match=r"pages\.zip: .*make room"):
        obtained(place.downloads())


def test_errors_nobody_answers(place):
    with pytest.raises(ValueError, match=r"5 attempts in a row failed: .*DGMP_MIRROR"):
        obtained(place.downloads(urls=["http://127.0.0.1:1/nobody-listens"]))


def test_errors_a_certificate_is_not_retried(place, monkeypatch):
    tried = []

    def refuse(url: str, **_: Any) -> None:
        tried.append(url)
        raise requests.exceptions.SSLError("certificate has expired")

    monkeypatch.setattr(requests, "get", refuse)
    with pytest.raises(ValueError, match="certificate has expired"):
        obtained(place.downloads())
    assert len(tried) == 1

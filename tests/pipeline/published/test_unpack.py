"""Archives with everything that an archive from elsewhere may try."""

import os
import stat
import zipfile
from pathlib import Path

import pytest

from pipeline.published import unpack
from pipeline.published.unpack import ArchiveError, members, read_member

LINK = (stat.S_IFLNK | 0o777) << 16


def fine(_: Path) -> None:
    return None


def archive_of(folder: Path, *entries: tuple[str, bytes], attributes: int = 0) -> Path:
    file = folder / "pages.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("top")
        for name, data in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = attributes
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    unpack._opened.cache_clear()
    return file


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_smoke_only_files_in_the_top_folder_are_members(tmp_path):
    archive = archive_of(
        tmp_path, ("top/a.tif", b"a"), ("top/deep/b.tif", b"b"), ("other/c.tif", b"c")
    )
    found = members(archive, "top")
    assert list(found) == ["a.tif"]
    (tmp_path / "out").mkdir()
    assert unpack.unpack(archive, "top/a.tif", tmp_path / "out" / "a.tif", fine) is None
    assert (tmp_path / "out" / "a.tif").read_bytes() == b"a"
    assert files_in(tmp_path / "out") == ["a.tif"]
    assert read_member(archive, "top/a.tif") == b"a"


@pytest.mark.parametrize(
    "name", ["../evil.tif", "top/../../evil.tif", "/evil.tif", "..\\evil.tif", "C:\\evil.tif"]
)
def test_errors_paths_that_lead_out(tmp_path, name):
    archive = archive_of(tmp_path, ("top/a.tif", b"a"), (name, b"evil"))
    with pytest.raises(ArchiveError, match="leads out of the archive: nothing was unpacked"):
        members(archive, "top")


def test_errors_links(tmp_path):
    archive = archive_of(tmp_path, ("top/a.tif", b"/etc/passwd"), attributes=LINK)
    with pytest.raises(ArchiveError, match=r"'top/a\.tif' is a link or device"):
        members(archive, "top")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_errors_a_name_twice(tmp_path):
    archive = archive_of(tmp_path, ("top/a.tif", b"a"), ("top/a.tif", b"b"))
    with pytest.raises(ArchiveError, match=r"'top/a\.tif' is there twice"):
        members(archive, "top")


def test_errors_a_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "LARGEST_MEMBER", 999_999)
    archive = archive_of(tmp_path, ("top/a.tif", bytes(1_000_000)))
    assert archive.stat().st_size < 2000
    with pytest.raises(ArchiveError, match=r"would unpack to 0\.0 GB"):
        members(archive, "top")


def test_property_a_size_that_lies_unpacks_no_more_than_it_declares(tmp_path):
    archive = archive_of(tmp_path, ("top/a.tif", bytes(1_000_000)))
    data = archive.read_bytes()
    true, false = (1_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")
    assert data.count(true) == 2
    archive.write_bytes(data.replace(true, false))
    sizes: list[int] = []
    wrong = unpack.unpack(
        archive, "top/a.tif", tmp_path / "a.tif", lambda part: sizes.append(part.stat().st_size)
    )
    assert wrong is not None
    assert "damaged in the archive" in wrong
    assert sizes == []
    assert files_in(tmp_path) == ["pages.zip"]


def test_errors_an_encrypted_member(tmp_path):
    archive = archive_of(tmp_path, ("top/a.tif", b"a"))
    data = bytearray(archive.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(ArchiveError, match=r"'top/a\.tif' is encrypted"):
        members(archive, "top")


def test_errors_another_top_folder_and_no_archive(tmp_path):
    archive = archive_of(tmp_path, ("top/a.tif", b"a"))
    with pytest.raises(ArchiveError, match="nothing in the folder 'pages'; there are: top"):
        members(archive, "pages")
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(ArchiveError, match="is no readable zip archive"):
        members(archive, "top")


@pytest.mark.parametrize(
    "content", [os.urandom(1000), bytes(range(256)) * 99], ids=["stored", "packed"]
)
def test_errors_a_damaged_member_leaves_nothing(tmp_path, content):
    archive = archive_of(tmp_path, ("top/a.tif", content))
    data = bytearray(archive.read_bytes())
    start = data.index(b"top/a.tif") + 30
    data[start : start + 20] = b"\xff" * 20
    archive.write_bytes(data)
    members(archive, "top")
    target = tmp_path / "out" / "a.tif"
    target.parent.mkdir()
    wrong = unpack.unpack(archive, "top/a.tif", target, fine)
    assert wrong is not None
    assert wrong.startswith("damaged in the archive")
    assert files_in(target.parent) == []


def test_property_what_the_check_objects_to_does_not_appear(tmp_path):
    archive = archive_of(tmp_path, ("top/a.tif", b"a"))
    assert unpack.unpack(archive, "top/a.tif", tmp_path / "a.tif", lambda _: "bad") == "bad"
    assert files_in(tmp_path) == ["pages.zip"]

"""Files of made-up archives, which are whole, cut, changed or something else."""

import gzip
import hashlib
import io
import shutil
import subprocess
import tarfile

import pytest

from pipeline.benchmark import git_archive
from pipeline.benchmark.git_archive import object_id, take_files
from tests.pipeline.benchmark.made_up import git_id, packed

COMMIT = "1" * 40
FILES = {"a.txt": b"first", "data/ü b.bin": bytes(range(256)) * 40, "c.txt": b""}
WANTED = {path: git_id(content) for path, content in FILES.items() if path != "a.txt"}


@pytest.fixture
def taken(tmp_path):
    """Take the wanted files from an archive of some bytes; returns what is wrong and written."""

    def take(archive: bytes, wanted=WANTED):
        file = tmp_path / "archive.tar.gz"
        file.write_bytes(archive)
        target = tmp_path / "files"
        wrong = take_files(file, COMMIT, wanted, target)
        return wrong, {path.name: path.read_bytes() for path in target.glob("*")}

    return take


def test_smoke(taken):
    wrong, files = taken(packed("one/words", FILES))
    assert wrong == {}
    assert files == {name: FILES[path] for path, name in WANTED.items()}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_oracle_archives_and_ids_of_git_itself(tmp_path):
    def git(*args: str, **kwargs) -> bytes:
        said = subprocess.run(
            ["git", *args], cwd=tmp_path, check=True, capture_output=True, **kwargs
        )
        return said.stdout

    git("init", "--quiet")
    for path, content in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    git("add", "--all")
    name = ["-c", "user.name=a", "-c", "user.email=a@b"]
    git(*name, "commit", "--quiet", "--message", "made up")
    commit = git("rev-parse", "HEAD").decode().strip()
    git("archive", "--prefix=words-x/", "--output=../words.tar.gz", "--format=tar.gz", "HEAD")
    for content in FILES.values():
        assert object_id(content) == git("hash-object", "--stdin", input=content).decode().strip()
    archive = tmp_path.parent / "words.tar.gz"
    assert take_files(archive, commit, WANTED, tmp_path / "files") == {}
    assert {file.name for file in (tmp_path / "files").iterdir()} == set(WANTED.values())
    archive.unlink()


def test_errors_a_changed_byte(taken):
    content = bytearray(FILES["data/ü b.bin"])
    content[99] ^= 1
    wrong, files = taken(packed("one/words", FILES | {"data/ü b.bin": bytes(content)}))
    found, expected = git_id(bytes(content)), WANTED["data/ü b.bin"]
    assert wrong == {"data/ü b.bin": f"has other bytes: its git object id is {found}, "
                                     f"expected {expected}"}  # fmt: skip
    assert set(files) == {WANTED["c.txt"]}


def test_errors_a_vanished_file(taken, tmp_path):
    wrong, _ = taken(packed("one/words", {"c.txt": b""}))
    assert wrong == {"data/ü b.bin": f"is not in {tmp_path / 'archive.tar.gz'}"}


def test_errors_another_commit(taken, tmp_path):
    wrong, files = taken(packed("one/words", FILES, commit="3" * 40))
    assert set(wrong) == set(WANTED)
    assert set(wrong.values()) == {f"{tmp_path / 'archive.tar.gz'} is of commit {'3' * 40}"}
    assert files == {}


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_errors_a_cut_archive(taken, share):
    noise = hashlib.shake_256(b"x").digest(200_000)
    files = FILES | {"data/ü b.bin": noise}
    wanted = WANTED | {"data/ü b.bin": git_id(noise)}
    whole = packed("one/words", files)
    wrong, written = taken(whole[: int(share * len(whole))], wanted)
    assert "is no whole tar.gz archive" in wrong["data/ü b.bin"]
    assert set(written) <= {wanted["c.txt"]}


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>log in</html>", gzip.compress(b"<html>" * 999, mtime=0)],
    ids=["nothing", "page", "compressed-page"],
)
def test_errors_something_else(taken, content):
    wrong, files = taken(content)
    assert set(wrong) == set(WANTED)
    assert all("is no whole tar.gz archive (" in reason for reason in wrong.values())
    assert files == {}


def test_errors_a_link_and_a_giant(taken, monkeypatch):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        link = tarfile.TarInfo("words/c.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert taken(content.getvalue())[0]["c.txt"] == "is no file"
    monkeypatch.setattr(git_archive, "LARGEST_FILE", 100)
    wrong, files = taken(packed("one/words", FILES))
    assert wrong == {"data/ü b.bin": "would have 0.0 GB"}
    assert set(files) == {WANTED["c.txt"]}

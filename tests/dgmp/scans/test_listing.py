import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dgmp.scans.listing import list_scans
from dgmp.scans.reading import read_scan
from dgmp.scans.scan import Listing


def page(file: Path, tone: int = 200) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (30, 40), tone).save(file)
    return file


def pages(file: Path, *tones: int) -> Path:
    first, *others = [Image.new("L", (30, 40), tone) for tone in tones]
    first.save(file, save_all=True, append_images=others)
    return file


@pytest.fixture
def scans(tmp_path) -> Path:
    folder = tmp_path / "my scans"
    folder.mkdir()
    return folder


def listed(folder: Path | str) -> Listing:
    return list_scans(str(folder), Path(folder).parent / "downloads")


def told(listing: Listing) -> list[tuple[str, str, int]]:
    return [(scan.name, scan.codex, scan.order) for scan in listing.scans]


def refusals(listing: Listing) -> dict[str, str]:
    return {refused.name: refused.reason for refused in listing.refused}


def test_folders_are_codices_in_natural_order(scans):
    for name in ("page10.jpg", "page2.jpg", "Cod 10/a.png", "cod 9/b/2.png", "cod 9/b/10.png"):
        page(scans / name)
    listing = listed(scans)
    assert told(listing) == [
        ("cod 9/b/2.png", "cod 9/b", 0),
        ("cod 9/b/10.png", "cod 9/b", 1),
        ("Cod 10/a.png", "Cod 10", 0),
        ("page2.jpg", "my scans", 0),
        ("page10.jpg", "my scans", 1),
    ]
    assert listing.refused == []


@pytest.mark.parametrize(
    "suffix", ["jpg", "png", "tif", "jp2", "webp", "avif", "gif", "bmp", "pdf"]
)
def test_formats_are_listed_and_read(scans, suffix):
    file = page(scans / f"page.{suffix}", 90)
    (scan,) = listed(file).scans
    assert (scan.name, scan.codex, scan.file) == (f"page.{suffix}", "my scans", file)
    read = read_scan(scan)
    assert (read.dtype, read.ndim) == (np.uint8, 2)
    assert np.abs(read.astype(int) - 90).max() <= 3
    if suffix != "pdf":
        assert read.shape == (40, 30)


@pytest.mark.parametrize("suffix", ["tif", "pdf"])
def test_a_file_of_several_pages_is_a_codex(scans, suffix):
    pages(scans / f"book.{suffix}", 10, 120, 240)
    listing = listed(scans)
    names = [f"book.{suffix}#{n}" for n in (1, 2, 3)]
    assert told(listing) == [(name, "book", place) for place, name in enumerate(names)]
    tones = [int(np.median(read_scan(scan))) for scan in listing.scans]
    np.testing.assert_allclose(tones, [10, 120, 240], atol=3)


def test_thumbnails_in_a_tiff_are_no_pages(scans):
    big, small = Image.new("L", (300, 400), 200), Image.new("L", (30, 40), 0)
    big.save(scans / "scan.tif", save_all=True, append_images=[small])
    (scan,) = listed(scans).scans
    assert scan.name == "scan.tif"
    assert read_scan(scan).shape == (400, 300)


def test_what_systems_leave_in_folders_is_ignored(scans):
    page(scans / "page.jpg")
    for name in ("__MACOSX/._page.jpg", ".hidden/page.jpg", "@eaDir/page.jpg", "._page.jpg"):
        page(scans / name)
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store"):
        (scans / name).write_bytes(b"x")
    assert told(listed(scans)) == [("page.jpg", "my scans", 0)]
    assert listed(scans).refused == []


def test_thousands_of_other_files_are_one_line(scans):
    page(scans / "page.jpg")
    for number in range(2000):
        (scans / f"note{number}.txt").write_bytes(b"x")
    listing = listed(scans)
    assert len(listing.scans) == 1
    assert refusals(listing) == {"2,000 files": "no images: note0.txt, note1.txt and 1998 others"}


def test_pictures_in_formats_that_are_not_read_are_told_by_format(scans):
    for name in ("a.heic", "b.HEIC", "c.dng"):
        (scans / name).write_bytes(b"II*\0")
    assert refusals(listed(scans)) == {
        "2 files .heic": "this format is not read, save as JPEG, PNG or TIFF: a.heic, b.HEIC",
        "1 file .dng": "this format is not read, save as JPEG, PNG or TIFF: c.dng",
    }


def test_images_without_an_ending_are_found(scans):
    page(scans / "page.jpg").rename(scans / "page")
    (scans / "README").write_text("x")
    listing = listed(scans)
    assert told(listing) == [("page", "my scans", 0)]
    assert refusals(listing) == {"1 file": "no image: README"}


def test_links_are_followed_once_and_pipes_ignored(scans, tmp_path):
    page(tmp_path / "elsewhere/page.jpg")
    (scans / "link").symlink_to(tmp_path / "elsewhere")
    (scans / "circle").symlink_to(scans)
    (scans / "nothing.jpg").symlink_to(scans / "absent")
    os.mkfifo(scans / "pipe.jpg")
    assert told(listed(scans)) == [("link/page.jpg", "link", 0)]


def test_downloads_in_the_folder_are_left_out(scans):
    page(scans / "page.jpg")
    page(scans / "downloads/0001/page.jpg")
    listing = list_scans(str(scans), scans / "downloads")
    assert told(listing) == [("page.jpg", "my scans", 0)]


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "jp2", "webp", "avif", "pdf"])
@pytest.mark.parametrize("share", [0, 0.02, 0.9])
def test_cut_off_files_are_refused(scans, suffix, share):
    noise = np.random.default_rng(0).integers(0, 256, (200, 150), np.uint8)
    file = scans / f"page.{suffix}"
    Image.fromarray(noise).save(file)
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    listing = listed(scans)
    if suffix == "pdf" and share == 0.9 and listing.scans:
        # PDFium repairs what it can.
        return
    assert listing.scans == []
    (refused,) = listing.refused
    assert refused.name == f"page.{suffix}"
    assert ("empty" if share == 0 else "again") in refused.reason


def test_jpeg_with_a_long_tail_is_complete(scans):
    file = page(scans / "page.jpg")
    file.write_bytes(file.read_bytes() + b"\0" * 200_000)
    assert len(listed(scans).scans) == 1


def test_a_web_page_under_the_name_of_an_image_is_refused(scans):
    (scans / "page.jpg").write_text("<!DOCTYPE html><html><body>404</body></html>")
    (scans / "text.png").write_text("not here")
    assert refusals(listed(scans)) == {
        "page.jpg": "a web page in place of an image: copy or download it again",
        "text.png": "no image that can be read: save it as JPEG, PNG, TIFF or PDF",
    }


def test_hostile_names_are_one_line(scans):
    page(scans / "<img onerror=alert(1)>\n\x1b[31m.jpg")
    page(Path(os.fsdecode(os.fsencode(scans) + b"/\xff.png")))
    listing = listed(scans)
    names = [scan.name for scan in listing.scans]
    assert names == ["<img onerror=alert(1)> \ufffd[31m.jpg", "\ufffd.png"]
    assert all(read_scan(scan).shape == (40, 30) for scan in listing.scans)


def test_names_are_unique(scans):
    page(scans / "a\x01.jpg")
    page(scans / "a\x02.jpg")
    assert [scan.name for scan in listed(scans).scans] == ["a\ufffd.jpg", "a\ufffd.jpg (2)"]


def test_names_with_hashes(scans):
    page(scans / "a#2.png", 50)
    page(scans / "a.png", 70)
    listing = listed(scans)
    assert {scan.name: read_scan(scan)[0, 0] for scan in listing.scans} == {
        "a#2.png": 50,
        "a.png": 70,
    }


def test_layouts_beside_images(scans):
    for name in ("a", "b", "c", "d"):
        page(scans / f"{name}.jpg")
    for name in ("a.xml", "page/b.xml", "alto/c.xml"):
        (scans / name).parent.mkdir(exist_ok=True)
        (scans / name).write_text("<PcGts/>" if "alto" not in name else "<alto/>")
    (scans / "d.xml").write_text("<TEI/>")
    listing = listed(scans)
    layouts = [scan.layout and scan.layout.name for scan in listing.scans]
    assert layouts == ["a.xml", "b.xml", "c.xml", None]
    assert refusals(listing) == {"1 file": "no image: d.xml"}


def test_a_missing_source(tmp_path):
    with pytest.raises(ValueError, match="absent is missing: name a folder"):
        listed(tmp_path / "absent")


def test_a_locked_folder_is_told(scans, monkeypatch):
    page(scans / "page.jpg")
    (scans / "locked").mkdir()
    real = os.scandir

    def scandir(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    listing = listed(scans)
    assert len(listing.scans) == 1
    assert refusals(listing) == {"locked": "the folder cannot be read: Permission denied"}


def test_a_locked_pdf_is_refused(scans):
    # No library here encrypts: a trailer that names the encryption is enough for the question.
    file = page(scans / "page.pdf")
    data = file.read_bytes()
    encrypt = (
        b"<</Filter/Standard/V 1/R 2/Length 40/P -4/O<" + b"00" * 32 + b">/U<" + b"11" * 32 + b">>>"
    )
    start = data.rindex(b"trailer")
    at = data.index(b"<<", start) + 2
    data = data[:at] + b"/ID[<00><00>]/Encrypt " + encrypt + data[at:]
    file.write_bytes(data)
    assert refusals(listed(scans)) == {"page.pdf": "the PDF wants a password: save it without one"}


def test_orientation_is_read(scans):
    image = Image.fromarray(np.dstack([np.arange(12, dtype=np.uint8).reshape(3, 4) * 20] * 3))
    exif = Image.Exif()
    exif[0x112] = 6
    image.save(scans / "page.jpg", exif=exif, quality=100)
    assert read_scan(listed(scans).scans[0]).shape == (4, 3)

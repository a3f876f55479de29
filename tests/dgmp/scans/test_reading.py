from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
import pypdfium2
import pytest
from PIL import Image

from dgmp.scans import pdf, reading
from dgmp.scans.pdf import render_pdf_page
from dgmp.scans.reading import read_scan
from dgmp.scans.scan import Scan


@pytest.fixture
def smooth() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (64, 48), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 4)


def blank_pdf(file: Path, *sizes: tuple[float, float]) -> Path:
    document = pypdfium2.PdfDocument.new()
    for width, height in sizes:
        document.new_page(width, height)
    document.save(file)
    return file


def test_pdf_pages_are_rendered_at_300_dpi(tmp_path):
    file = blank_pdf(tmp_path / "a.pdf", (72, 144), (216, 72))
    assert render_pdf_page(file, 1).shape == (600, 300)
    assert render_pdf_page(file, 2).shape == (300, 900)
    assert (render_pdf_page(file, 1) == 255).all()


def test_oracle_a_picture_in_a_pdf_keeps_its_pixels(tmp_path, smooth):
    Image.fromarray(smooth).save(tmp_path / "a.pdf", resolution=300, quality=100)
    read = read_scan(Scan("a.pdf", tmp_path / "a.pdf"))
    assert read.shape == smooth.shape
    assert np.abs(read.astype(int) - smooth).max() <= 4


def test_huge_pdf_pages_are_rendered_at_fewer_dots(tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "LARGEST", 10_000)
    file = blank_pdf(tmp_path / "a.pdf", (7200, 14400))
    height, width = render_pdf_page(file, 1).shape
    assert 9_000 < height * width <= 10_500
    assert abs(height - 2 * width) <= 2


def test_a_missing_page_of_a_pdf(tmp_path):
    file = blank_pdf(tmp_path / "a.pdf", (72, 144))
    with pytest.raises(ValueError, match=r"^b: it has no page 2, but 1 pages$"):
        read_scan(Scan("b", file, page=2))


@pytest.mark.parametrize(("limit", "factor"), [(64 * 48, 1), (2000, 2), (200, 4), (50, 8)])
@pytest.mark.parametrize("suffix", ["jpg", "jp2"])
def test_large_pages_are_read_reduced(tmp_path, monkeypatch, smooth, suffix, limit, factor):
    monkeypatch.setattr(reading, "LARGEST" if suffix == "jpg" else "LARGEST_JP2", limit)
    file = tmp_path / f"a.{suffix}"
    Image.fromarray(smooth).save(file, **({"quality": 100} if suffix == "jpg" else {}))
    read = read_scan(Scan("a", file))
    assert read.shape == (64 // factor, 48 // factor)
    averaged = cv2.resize(smooth, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    assert np.abs(read.astype(int) - averaged).max() <= 12


def test_reduced_pages_are_upright(tmp_path, monkeypatch, smooth):
    monkeypatch.setattr(reading, "LARGEST", 2000)
    exif = Image.Exif()
    exif[0x112] = 6
    Image.fromarray(smooth).save(tmp_path / "a.jpg", exif=exif)
    assert read_scan(Scan("a", tmp_path / "a.jpg")).shape == (24, 32)


def test_deep_jpeg_2000_is_reduced_to_eight_bits(tmp_path, monkeypatch, smooth):
    monkeypatch.setattr(reading, "LARGEST_JP2", 2000)
    Image.fromarray(smooth.astype(np.uint16) * 256).save(tmp_path / "a.jp2")
    read = read_scan(Scan("a", tmp_path / "a.jp2"))
    averaged = cv2.resize(smooth, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    assert read.dtype == np.uint8
    assert np.abs(read.astype(int) - averaged).max() <= 12


@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "avif"])
def test_large_pages_of_other_formats_are_refused(tmp_path, monkeypatch, smooth, suffix):
    monkeypatch.setattr(reading, "LARGEST", 2000)
    Image.fromarray(smooth).save(tmp_path / f"a.{suffix}")
    with pytest.raises(ValueError, match=r"^a: 48 x 64 pixels are more than 0 megapixels: save it"):
        read_scan(Scan("a", tmp_path / f"a.{suffix}"))


def test_a_png_of_a_few_bytes_and_many_pixels_is_not_decoded(tmp_path):
    file = tmp_path / "a.png"
    Image.new("L", (8, 8)).save(file)
    data = bytearray(file.read_bytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    data[29:33] = crc32(data[12:29]).to_bytes(4, "big")
    file.write_bytes(data)
    with pytest.raises(ValueError, match="60,000 x 60,000 pixels are more than 200 megapixels"):
        read_scan(Scan("a", file))


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "jp2", "webp", "avif", "pdf"])
def test_files_that_changed_since_the_listing(tmp_path, smooth, suffix):
    file = tmp_path / f"a.{suffix}"
    scan = Scan("a", file)
    with pytest.raises(ValueError, match="cannot be read"):
        read_scan(scan)
    Image.fromarray(smooth).save(file)
    whole = file.read_bytes()
    for data in (b"", b"<html>", whole[:40], whole[: len(whole) // 2]):
        file.write_bytes(data)
        with pytest.raises(ValueError, match=r"^(a: |/)") as error:
            read_scan(scan)
        assert "\n" not in str(error.value)

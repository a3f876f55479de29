import struct
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from dgmp.images.reading import is_binary, read_gray, write_bilevel

ORIENTATION, MAX_SAMPLE_VALUE, SUBFILE_TYPE = 0x112, 281, 254


def tiff(*pages: tuple[int, np.ndarray, dict[int, int]], end: int = 0) -> bytes:
    """An uncompressed TIFF of grey pages, each of bits, samples (H, W) and further tags."""
    data, links = b"II*\0", [4]
    for bits, samples, more in pages:
        digits = ("".join(f"{sample:0{bits}b}" for sample in row) for row in samples)
        rows = [row.ljust(-(-len(row) // 8) * 8, "0") for row in digits]
        strip = b"".join(int(row, 2).to_bytes(len(row) // 8, "big") for row in rows)
        strip = samples.astype("<u2").tobytes() if bits == 16 else strip
        height, width = samples.shape
        tags = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 277: 1, 278: height}
        tags |= {273: 0, 279: len(strip)} | more
        data = data.ljust(links[-1] + 4, b"\0")
        start = len(data)
        tags[273] = start + 2 + 12 * len(tags) + 4
        entries = (struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
        data = data[: links[-1]] + struct.pack("<I", start) + data[links[-1] + 4 :]
        links.append(start + 2 + 12 * len(tags))
        data += struct.pack("<H", len(tags)) + b"".join(entries) + bytes(4) + strip
    return data[: links[-1]] + struct.pack("<I", end) + data[links[-1] + 4 :]


@pytest.fixture
def gray() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (60, 50), dtype=np.uint8)


@pytest.mark.parametrize("name", ["page.png", "page.tif", "page.bmp"])
def test_oracle_lossless_formats_keep_every_tone(tmp_path, gray, name):
    cv2.imwrite(str(tmp_path / name), gray)
    np.testing.assert_array_equal(read_gray(tmp_path / name), gray)


def test_oracle_deep_colour_and_jpeg_images_become_gray(tmp_path, gray):
    deep = gray.astype(np.uint16) << 8
    cv2.imwrite(str(tmp_path / "deep.png"), deep)
    cv2.imwrite(str(tmp_path / "colour.png"), np.dstack([gray] * 3))
    cv2.imwrite(str(tmp_path / "flat.jpg"), np.full((40, 40, 3), 90, np.uint8))
    np.testing.assert_array_equal(read_gray(tmp_path / "deep.png"), gray)
    np.testing.assert_array_equal(read_gray(tmp_path / "colour.png"), gray)
    assert np.abs(read_gray(tmp_path / "flat.jpg").astype(int) - 90).max() <= 1


def test_oracle_transparent_pixels_are_white(tmp_path):
    image = np.zeros((2, 2, 4), np.uint8)
    image[0, 0, 3] = 255
    cv2.imwrite(str(tmp_path / "scan.png"), image)
    assert read_gray(tmp_path / "scan.png").tolist() == [[0, 255], [255, 255]]


@pytest.mark.parametrize(
    ("largest", "shift"), [(255, 0), (1023, 2), (4080, 4), (16383, 6), (16384, 8), (65535, 8)]
)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_oracle_deep_pages_are_scaled_by_the_bits_in_use(tmp_path, suffix, largest, shift):
    samples = np.linspace(0, largest, 200).astype(np.uint16).reshape(10, 20)
    cv2.imwrite(str(tmp_path / f"page{suffix}"), samples)
    np.testing.assert_array_equal(read_gray(tmp_path / f"page{suffix}"), samples >> shift)
    alpha = np.full((10, 20), 65535, np.uint16)
    cv2.imwrite(str(tmp_path / "alpha.png"), np.dstack([samples] * 3 + [alpha]))
    np.testing.assert_array_equal(read_gray(tmp_path / "alpha.png"), samples >> shift)


SAMPLES = np.array([[0, 16, 256, 1000], [3900, 2048, 100, 15]])


@pytest.mark.parametrize(
    ("bits", "tags", "shift"),
    [
        (16, {}, 4),
        (16, {MAX_SAMPLE_VALUE: 4095}, 4),
        (16, {MAX_SAMPLE_VALUE: 16383}, 6),
        (16, {MAX_SAMPLE_VALUE: 65535}, 8),
        # Too small for the samples, and so wrong.
        (16, {MAX_SAMPLE_VALUE: 255}, 4),
        (12, {}, 4),
        (14, {}, 6),
    ],
)
@pytest.mark.parametrize("min_is_white", [False, True])
def test_oracle_depth_of_a_tiff(tmp_path, bits, tags, shift, min_is_white):
    (tmp_path / "page.tif").write_bytes(tiff((bits, SAMPLES, tags | {262: 1 - min_is_white})))
    tones = SAMPLES >> shift
    wanted = 255 - tones if min_is_white else tones
    np.testing.assert_array_equal(read_gray(tmp_path / "page.tif"), wanted)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "late.png", "xmp.png", "webp", "avif", "jpg", "tif"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_oracle_pages_are_upright_as_pillow_turns_them(tmp_path, suffix, orientation, mode):
    tones = np.random.default_rng(orientation).integers(0, 256, (3, 4), dtype=np.uint8)
    image = Image.fromarray(np.kron(tones, np.ones((16, 16), np.uint8))).convert(mode)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = tmp_path / f"page.{suffix}"
    if suffix == "xmp.png":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", f'<x tiff:Orientation="{orientation}"/>')
        image.save(file, pnginfo=info)
    else:
        # Of uncompressed TIFFs, Pillow itself turns some twice.
        more = {"webp": {"lossless": True}, "tif": {"compression": "tiff_lzw"}}
        image.save(file, exif=exif, **more.get(suffix, {"quality": 100}))
    if suffix == "late.png":
        # The standard lets EXIF follow the pixels.
        data = file.read_bytes()
        start = data.index(b"eXIf") - 4
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        last = data.index(b"IEND") - 4
        file.write_bytes(data[:start] + data[end:last] + data[start:end] + data[last:])
    wanted = np.array(ImageOps.exif_transpose(Image.open(file)).convert("L")).astype(int)
    assert wanted.shape == ((48, 64) if orientation < 5 else (64, 48))
    page = read_gray(file)
    assert page.shape == wanted.shape
    assert np.abs(page - wanted).max() <= (6 if suffix in ("avif", "jpg") else 1)


def test_oracle_pages_of_a_tiff_by_number(tmp_path):
    pages = [np.full((6, 8), tone) for tone in (10, 20, 30)]
    thumbnail, mask = np.full((3, 4), 99), np.full((6, 8), 77)
    file = tmp_path / "scan.tif"
    file.write_bytes(
        tiff(
            (8, thumbnail, {SUBFILE_TYPE: 1}),
            (8, pages[0], {SUBFILE_TYPE: 2}),
            (8, mask, {SUBFILE_TYPE: 4}),
            (8, pages[1], {}),
            (8, np.full((1, 2), 88), {}),
            (16, pages[2] << 8, {MAX_SAMPLE_VALUE: 65535}),
        )
    )
    for number, page in enumerate(pages, 1):
        np.testing.assert_array_equal(read_gray(f"{file}#{number}"), page)
    with pytest.raises(ValueError, match=r"scan\.tif has 3 pages: .* scan\.tif#1 to scan\.tif#3"):
        read_gray(file)
    for number in (0, 4):
        with pytest.raises(ValueError, match=rf"scan\.tif#{number} is missing: .* 3 pages"):
            read_gray(f"{file}#{number}")
    cv2.imwrite(str(tmp_path / "literal.png"), pages[0])
    (tmp_path / "literal.png").rename(tmp_path / "scan.tif#1")
    file.write_bytes(tiff((8, thumbnail, {SUBFILE_TYPE: 1}), (8, pages[1], {})))
    np.testing.assert_array_equal(read_gray(file), pages[1])
    np.testing.assert_array_equal(read_gray(f"{file}#1"), pages[0])
    cv2.imwrite(str(tmp_path / "one.png"), pages[0])
    np.testing.assert_array_equal(read_gray(tmp_path / "one.png#1"), pages[0])
    with pytest.raises(ValueError, match=r"one\.png#2 is missing: the file has one page"):
        read_gray(tmp_path / "one.png#2")


@pytest.mark.parametrize("suffix", ["png", "webp", "avif", "gif"])
def test_errors_animation(tmp_path, gray, suffix):
    first, second = Image.fromarray(gray), Image.fromarray(255 - gray)
    first.save(tmp_path / f"page.{suffix}", save_all=True, append_images=[second])
    with pytest.raises(ValueError, match=rf"page\.{suffix} has 2 images: save the page alone"):
        read_gray(tmp_path / f"page.{suffix}")


def test_property_bilevel_round_trip_leaves_no_temporary_file(tmp_path, gray):
    page = np.where(gray > 128, np.uint8(255), np.uint8(0))
    write_bilevel(tmp_path / "page.png", page)
    np.testing.assert_array_equal(read_gray(tmp_path / "page.png"), page)
    assert [file.name for file in tmp_path.iterdir()] == ["page.png"]
    bit_depth = (tmp_path / "page.png").read_bytes()[24]
    assert bit_depth == 1


def test_oracle_is_binary():
    assert is_binary(np.array([[0, 255]], np.uint8))
    assert is_binary(np.full((3, 3), 255, np.uint8))
    for wrong in (1, 128, 254):
        assert not is_binary(np.array([[0, wrong]], np.uint8))
    assert not is_binary(np.array([[0.0, 255.0]]))


def saved(gray: np.ndarray, kind: str) -> bytes:
    page = Image.fromarray(np.kron(gray, np.ones((4, 4), np.uint8)))
    file = BytesIO()
    compression = {"compression": "tiff_lzw"} if kind == "tif" else {}
    page.save(
        file, {"tif": "TIFF", "jp2": "JPEG2000", "jpg": "JPEG"}.get(kind, kind), **compression
    )
    return file.getvalue()


@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "jp2", "webp", "avif"])
@pytest.mark.parametrize("share", [0.001, 0.3, 0.7, 0.95])
def test_errors_cut_off_file(tmp_path, gray, kind, share, capfd):
    file = tmp_path / f"page.{kind}"
    data = saved(gray, kind)
    file.write_bytes(data[: max(1, int(share * len(data)))])
    with pytest.raises(ValueError, match=rf"page\.{kind} is"):
        read_gray(file)
    assert capfd.readouterr() == ("", "")


def test_errors_tiff_cut_off_between_its_pages(tmp_path):
    page = (8, np.full((6, 8), 10), {})
    (tmp_path / "scan.tif").write_bytes(tiff(page, end=9999))
    with pytest.raises(ValueError, match=r"scan\.tif is cut off before its directory 2"):
        read_gray(tmp_path / "scan.tif")


READ = """
import os, sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from dgmp.images.reading import read_gray

def complaint(file):
    try:
        read_gray(file)
    except ValueError as error:
        return str(error)

if __name__ == "__main__":
    files = sys.argv[1:]
    with ThreadPoolExecutor(4) as threads:
        found = [*map(complaint, files), *threads.map(complaint, files * 20)]
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        found += pool.map(complaint, files)
    assert all(found)
    os.write(2, b"restored")
    os.close(2)
    assert all(map(complaint, files))
"""


def test_property_decoders_are_quiet_in_threads_and_processes(tmp_path, gray):
    for kind in ("png", "tif", "jp2", "webp"):
        data = saved(gray, kind)
        data = data[: len(data) // 2]
        # With its end, so that the decoder sees it.
        (tmp_path / f"page.{kind}").write_bytes(data + b"IEND" * (kind == "png"))
    (tmp_path / "read.py").write_text(READ)
    files = sorted(str(file) for file in tmp_path.glob("page.*"))
    done = subprocess.run(
        [sys.executable, str(tmp_path / "read.py"), *files],
        capture_output=True,
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
        check=True,
    )
    assert done.stderr == b"restored"
    assert done.stdout == b""


def test_errors_name_the_file(tmp_path, gray):
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").touch()
    with pytest.raises(ValueError, match=r"text\.png is not a readable image"):
        read_gray(tmp_path / "text.png")
    with pytest.raises(ValueError, match=r"empty\.png is empty"):
        read_gray(tmp_path / "empty.png")
    with pytest.raises(ValueError, match=r"absent\.png is missing"):
        read_gray(tmp_path / "absent.png")
    with pytest.raises(ValueError, match="cannot be read"):
        read_gray(tmp_path)
    with pytest.raises(ValueError, match="only ink 0 and background 255"):
        write_bilevel(tmp_path / "gray.png", gray)
    with pytest.raises(ValueError, match="written as PNG"):
        write_bilevel(tmp_path / "page.jpg", np.zeros((2, 2), np.uint8))

import cv2
import numpy as np
import pytest

from dgmp.images.reading import is_binary, read_gray, write_bilevel


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


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_errors_cut_off_file(tmp_path, gray, suffix, share):
    file = tmp_path / f"page{suffix}"
    cv2.imwrite(str(file), np.kron(gray, np.ones((4, 4), np.uint8)))
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match=rf"page\{suffix} is"):
        read_gray(file)


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

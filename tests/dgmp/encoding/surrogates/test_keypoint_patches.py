import numpy as np
import pytest

from dgmp.encoding.surrogates.keypoint_patches import cut_around


@pytest.mark.parametrize("size", [1, 4, 5])
def test_oracle_pixel_by_pixel(size):
    rng = np.random.default_rng(0)
    page = np.where(rng.random((9, 12)) < 0.5, 0, 255).astype(np.uint8)
    positions = rng.uniform([0, 0], [11.4, 8.4], (20, 2))
    patches = cut_around(page, positions, size)
    assert patches.shape == (20, size, size)
    for (x, y), patch in zip(positions.tolist(), patches, strict=True):
        for row in range(size):
            for column in range(size):
                top, left = round(y) - size // 2 + row, round(x) - size // 2 + column
                inside = 0 <= top < 9 and 0 <= left < 12
                assert patch[row, column] == (inside and page[top, left] == 0)


def test_no_positions():
    assert cut_around(np.zeros((5, 5), np.uint8), np.empty((0, 2)), 4).shape == (0, 4, 4)


@pytest.mark.parametrize("position", [(-1, 2), (2, -1), (7, 2), (2, 6)])
def test_a_position_outside_is_an_error(position):
    page = np.zeros((5, 6), np.uint8)
    with pytest.raises(ValueError, match=r"1 of 2 positions lie outside the page of 6 x 5 pixels"):
        cut_around(page, np.array([(2, 2), position]), 4)


def test_only_pages():
    with pytest.raises(ValueError, match=r"uint8 \(H, W\), got float64 \(3, 3\)"):
        cut_around(np.zeros((3, 3)), np.empty((0, 2)), 4)

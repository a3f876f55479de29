import math

import numpy as np
import pytest
from scipy import ndimage

from dgmp.encoding.handcrafted.obif import (
    CODES,
    DARK_BLOB,
    DARK_LINES,
    FLAT,
    LIGHT_BLOB,
    LIGHT_LINES,
    SADDLES,
    SLOPES,
    _kernels,
    basic_image_features,
    obif_columns,
)

SIDE = 101
Y, X = SIDE // 2 - np.mgrid[:SIDE, :SIDE][0], np.mgrid[:SIDE, :SIDE][1] - SIDE // 2
"""Coordinates around the centre of the page, y up."""


def page_of(ink: np.ndarray) -> np.ndarray:
    return np.where(ink, np.uint8(0), np.uint8(255))


def blobs(shape: tuple[int, int] = (60, 80)) -> np.ndarray:
    noise = np.random.default_rng(1).normal(size=shape)
    return page_of(ndimage.gaussian_filter(noise, 3) > 0.02)


def at_centre(ink: np.ndarray, sigma: float) -> int:
    return int(basic_image_features(page_of(ink), sigma, 0.1)[SIDE // 2, SIDE // 2])


@pytest.mark.parametrize("direction", range(8))
@pytest.mark.parametrize("sigma", [1, 2, 4])
def test_oracle_edges_are_slopes_from_dark_to_light(direction, sigma):
    angle = math.radians(45 * direction)
    ink = X * math.cos(angle) + Y * math.sin(angle) < -0.1
    assert at_centre(ink, sigma) == SLOPES + direction


@pytest.mark.parametrize("sigma", [2, 4])
def test_oracle_discs_are_blobs(sigma):
    disc = (1.5 * sigma) ** 2 >= X**2 + Y**2
    assert at_centre(disc, sigma) == DARK_BLOB
    assert at_centre(~disc, sigma) == LIGHT_BLOB


@pytest.mark.parametrize("axis", range(4))
@pytest.mark.parametrize("sigma", [2, 4])
def test_oracle_strokes_are_lines(axis, sigma):
    angle = math.radians(45 * axis)
    stroke = np.abs(-X * math.sin(angle) + Y * math.cos(angle)) <= sigma
    assert at_centre(stroke, sigma) == DARK_LINES + axis
    assert at_centre(~stroke, sigma) == LIGHT_LINES + axis


@pytest.mark.parametrize(
    ("ink", "axis"),
    [(np.abs(X) > np.abs(Y), 0), (X * Y > 0, 1), (np.abs(Y) > np.abs(X), 2), (X * Y < 0, 3)],
)
def test_oracle_crossings_are_saddles_along_the_dark(ink, axis):
    assert at_centre(ink, 4) == SADDLES + axis


def test_oracle_paper_is_flat_and_so_is_deep_ink():
    page = page_of(np.abs(X) < 30)
    codes = basic_image_features(page, 2, 0.1)
    assert (codes[:, np.abs(X[0]) < 30 - 9] == FLAT).all()
    assert (codes[:, np.abs(X[0]) > 30 + 9] == FLAT).all()
    assert (codes[:, np.abs(X[0]) == 30] != FLAT).all()


@pytest.mark.parametrize("sigma", [0.7, 1, 2, 8])
def test_oracle_filters_are_exact_on_polynomials(sigma):
    smooth, first, second = _kernels(sigma)
    x = np.arange(len(smooth)) - len(smooth) // 2
    powers = np.stack([np.ones(len(x)), x, x**2 / 2])
    np.testing.assert_allclose(powers @ first, [0, sigma, 0], atol=1e-9)
    np.testing.assert_allclose(powers @ second, [0, 0, sigma**2], atol=1e-9)
    assert smooth.sum() == pytest.approx(1)


def codes_by_loops(page: np.ndarray, sigma: float, epsilon: float) -> np.ndarray:
    """By the definition, on SciPy's Gaussian derivatives."""
    grey = page / 255
    derivative = {
        order: ndimage.gaussian_filter(grey, sigma, order=order, mode="nearest") * sigma**power
        for order, power in (
            ((0, 0), 0), ((0, 1), 1), ((1, 0), 1), ((0, 2), 2), ((2, 0), 2), ((1, 1), 2)
        )
    }  # fmt: skip
    codes = np.zeros(page.shape, int)
    for at in np.ndindex(page.shape):
        s00, s10, s01 = derivative[0, 0][at], derivative[0, 1][at], -derivative[1, 0][at]
        s20, s02, s11 = derivative[0, 2][at], derivative[2, 0][at], -derivative[1, 1][at]
        eigenvalues, axes = np.linalg.eigh([[s20, s11], [s11, s02]])
        trace, spread = eigenvalues.sum(), eigenvalues[1] - eigenvalues[0]
        largest = int(
            np.argmax([
                epsilon * s00, 2 * math.hypot(s10, s01), trace, -trace,
                (spread + trace) / 2**0.5, (spread - trace) / 2**0.5, spread,
            ])
        )  # fmt: skip
        along = axes[:, 1] if largest == 5 else axes[:, 0]
        axis = round(math.degrees(math.atan2(along[1], along[0])) / 45) % 4
        slope = round(math.degrees(math.atan2(s01, s10)) / 45) % 8
        codes[at] = (0, 1 + slope, 9, 10, 11 + axis, 15 + axis, 19 + axis)[largest]
    return codes


@pytest.mark.parametrize(("sigma", "epsilon"), [(2, 0.1), (3, 0.01)])
def test_oracle_codes_by_loops(sigma, epsilon):
    page = blobs()
    expected = codes_by_loops(page, sigma, epsilon)
    found = basic_image_features(page, sigma, epsilon)
    assert len(np.unique(expected)) > 20
    # SciPy samples the derivatives of a Gaussian without making them exact.
    assert (found == expected).mean() > 0.97


def test_oracle_columns_count_pairs_of_codes():
    page = blobs()
    first, second = (basic_image_features(page, sigma, 0.1) for sigma in (1, 3))
    expected = np.zeros((22, 22))
    for a, b in zip(first.flat, second.flat, strict=True):
        if a and b:
            expected[a - 1, b - 1] += 1
    found = obif_columns(page, (1, 3), 0.1)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.reshape(-1) / expected.sum(), atol=1e-6)


def test_property_turning_the_page_turns_the_codes():
    page = blobs()
    after = np.arange(CODES)
    for start, count in ((SLOPES, 8), (DARK_LINES, 4), (LIGHT_LINES, 4), (SADDLES, 4)):
        after[start : start + count] = start + (np.arange(count) + 2) % count
    expected = np.zeros((22, 22))
    columns = obif_columns(page).reshape(22, 22)
    expected[np.ix_(after[1:] - 1, after[1:] - 1)] = columns
    np.testing.assert_allclose(obif_columns(np.rot90(page)), expected.reshape(-1), atol=1e-3)


def test_pages_without_information_give_zeros():
    blank = np.full((60, 60), 255, np.uint8)
    letter = blank.copy()
    letter[20:40, 20:25] = 0
    for page in (blank, letter, np.zeros((60, 60), np.uint8)):
        assert not obif_columns(page).any()
    assert obif_columns(blobs()).sum() == pytest.approx(1)


def test_errors():
    with pytest.raises(ValueError, match="sigma must be positive, got 0"):
        obif_columns(blobs(), (1, 0))
    with pytest.raises(ValueError, match="epsilon must not be negative, got -1"):
        obif_columns(blobs(), epsilon=-1)
    with pytest.raises(ValueError, match="binarize it first"):
        obif_columns(np.full((20, 20), 100, np.uint8))

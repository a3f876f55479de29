import cv2
import numpy as np
import pytest
from scipy import ndimage

from dgmp.encoding.handcrafted.srs_lbp import _otsu, srs_lbp


def blobs(shape: tuple[int, int] = (50, 64)) -> np.ndarray:
    noise = np.random.default_rng(2).normal(size=shape)
    ink = ndimage.gaussian_filter(noise, 1.5) > 0
    return np.where(ink, np.uint8(0), np.uint8(255))


def otsu_by_loops(values: np.ndarray) -> int:
    """The last value of the lower class, by the variance between the classes."""
    best, threshold = -1.0, 0
    for t in range(255):
        low, high = values[values <= t], values[values > t]
        if len(low) and len(high):
            between = len(low) * len(high) * (low.mean() - high.mean()) ** 2
            if between > best + 1e-6:
                best, threshold = between, t
    return threshold


def histogram_by_loops(page: np.ndarray, radius: int) -> np.ndarray:
    height, width = page.shape
    inside = [(y, x) for y in range(radius, height - radius) for x in range(radius, width - radius)]
    samples = np.zeros((len(inside), 8), int)
    for k in range(8):
        across = radius * np.cos(np.pi / 4 * k)
        down = -radius * np.sin(np.pi / 4 * k)
        positions = np.array(inside) + np.array([down, across])
        values = ndimage.map_coordinates(page.astype(float), positions.T, order=1, mode="nearest")
        samples[:, k] = np.round(values)
    centres = np.array([page[at] for at in inside], int)[:, None]
    threshold = otsu_by_loops(np.abs(samples - centres))
    counts = np.zeros(256)
    for bits in samples - centres > threshold:
        counts[sum(2**k for k in range(8) if bits[k])] += 1
    counts[0] = 0
    return counts / counts.sum()


@pytest.mark.parametrize("radius", [1, 2, 5, 12])
def test_oracle_by_loops(radius):
    page = blobs()
    found = srs_lbp(page, (radius,))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, histogram_by_loops(page, radius), atol=1e-6)


def test_shapes_radii_stand_one_after_the_other():
    page = blobs()
    whole = srs_lbp(page)
    assert whole.shape == (3072,)
    for radius in (1, 7, 12):
        block = whole[256 * (radius - 1) : 256 * radius]
        np.testing.assert_array_equal(block, srs_lbp(page, (radius,)))
        assert block.sum() == pytest.approx(1)
        assert block[0] == 0


def test_oracle_sides_of_a_horizontal_bar():
    page = np.full((60, 80), 255, np.uint8)
    page[20:40] = 0
    histogram = srs_lbp(page, (1,))
    above, below = 0b00001110, 0b11100000  # 45, 90 and 135 degrees; 225, 270 and 315
    assert histogram[above] == histogram[below] == 0.5


def test_oracle_single_pixels_are_surrounded_by_paper():
    page = np.full((120, 120), 255, np.uint8)
    page[4:-4:3, 4:-4:3] = 0
    assert srs_lbp(page, (1,))[255] == 1


@pytest.mark.parametrize("seed", range(5))
def test_oracle_otsu_is_opencvs(seed):
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(60, 20, 900), rng.normal(190, 15, 400)])
    image = values.clip(0, 255).astype(np.uint8)[None]
    threshold, _ = cv2.threshold(image, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    assert _otsu(np.bincount(image[0], minlength=256)) == threshold == otsu_by_loops(image)


def test_property_turning_the_page_turns_the_samples():
    page = blobs()
    patterns = np.arange(256)
    turned = (patterns << 2 | patterns >> 6) & 255
    expected = np.zeros((12, 256))
    expected[:, turned] = srs_lbp(page).reshape(12, 256)
    np.testing.assert_allclose(srs_lbp(np.rot90(page)).reshape(12, 256), expected, atol=1e-6)


def test_pages_without_information_give_zeros():
    blank = np.full((60, 60), 255, np.uint8)
    letter = blank.copy()
    letter[20:40, 20:25] = 0
    for page in (blank, letter, np.zeros((60, 60), np.uint8)):
        assert not srs_lbp(page).any()


def test_radii_beyond_a_small_page_give_zeros():
    histograms = srs_lbp(np.tile(blobs((20, 200)), (1, 1)), (9, 10))
    assert histograms[:256].sum() == pytest.approx(1)
    assert not histograms[256:].any()


def test_errors():
    for radii in ((0, 1), ()):
        with pytest.raises(ValueError, match="radii must be at least 1"):
            srs_lbp(blobs(), radii)
    with pytest.raises(ValueError, match="binarize it first"):
        srs_lbp(np.full((20, 20), 100, np.uint8))

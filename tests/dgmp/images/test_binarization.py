import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgmp.images.binarization import METHODS, binarize, shrink


def written_page() -> np.ndarray:
    """Dark bars on light ground that darkens to the right, with noise."""
    rng = np.random.default_rng(0)
    page = np.linspace(230, 130, 200)[None, :] + rng.normal(0, 4, (120, 200))
    page[20:110:15, 10:190] -= 100
    return page.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("method", METHODS)
def test_oracle_finds_the_bars(method):
    truth = np.zeros((120, 200), bool)
    truth[20:110:15, 10:190] = True
    ink = binarize(written_page(), method, window=25, k=0.2) == 0
    found = (ink & truth).sum() / truth.sum()
    assert found > 0.9
    # One threshold cannot follow the ground, a local one must.
    if method == "sauvola":
        assert (ink & ~truth).sum() / truth.sum() < 0.1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("tones", [(0, 255), (0, 1), (40, 200)])
def test_property_two_tones_pass_through_without_inversion(method, tones):
    mostly_dark = np.random.default_rng(0).random((40, 40)) < 0.8
    page = np.where(mostly_dark, *np.array(tones, np.uint8))
    np.testing.assert_array_equal(binarize(page, method) == 0, mostly_dark)


@pytest.mark.parametrize("tone", [0, 130, 255])
def test_property_one_tone_has_no_ink(tone):
    assert (binarize(np.full((30, 30), tone, np.uint8), "sauvola") == 255).all()


@pytest.mark.parametrize("window", [3, 30, 75, 999])
def test_shapes_any_window(window):
    page = binarize(written_page(), "sauvola", window=window)
    assert page.shape == (120, 200)
    assert set(np.unique(page)) <= {0, 255}


@pytest.mark.parametrize("shape", [(30, 40), (9, 60), (60, 8)])
@pytest.mark.parametrize("window", [3, 8, 15, 75])
def test_oracle_sauvola(shape, window):
    page = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    reach = min(window + (window % 2 == 0), min(shape) - (min(shape) % 2 == 0)) // 2
    expected = np.empty(shape, np.uint8)
    for y, x in np.ndindex(shape):
        around = page[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        threshold = around.mean() * (1 + 0.2 * (around.std() / 128 - 1))
        expected[y, x] = 255 if page[y, x] > threshold else 0
    found = binarize(page, "sauvola", window=window, k=0.2)
    assert (found == expected).mean() > 0.995


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_oracle_shrink_by_half_is_the_majority_of_four(rows, columns, seed):
    ink = np.random.default_rng(seed).random((2 * rows, 2 * columns)) < 0.4
    page = np.where(ink, np.uint8(0), np.uint8(255))
    covered = ink.reshape(rows, 2, columns, 2).sum(axis=(1, 3))
    np.testing.assert_array_equal(shrink(page, 0.5) == 0, covered >= 2)


def test_shapes_shrink():
    page = np.full((101, 51), 255, np.uint8)
    assert shrink(page, 1) is page
    assert shrink(page, 0.3).shape == (30, 15)
    assert shrink(page, 0.001).shape == (1, 1)


def test_errors():
    with pytest.raises(ValueError, match="unknown method 'su'; known: otsu, sauvola"):
        binarize(written_page(), "su")
    with pytest.raises(ValueError, match="at least 3 pixels, got window 1 on 120 x 200"):
        binarize(written_page(), "sauvola", window=1)
    with pytest.raises(ValueError, match="float64"):
        binarize(np.zeros((3, 3)), "otsu")
    with pytest.raises(ValueError, match=r"at most 1, got 1\.5"):
        shrink(written_page(), 1.5)

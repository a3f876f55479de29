import numpy as np
import pytest

from dgmp.encoding import cosine_distances, without_information
from dgmp.encoding.page_descriptors import LARGEST_DISTANCE, l2_normalize


def test_without_information_is_a_row_of_zeros_alone():
    rows = np.array([[0.0, -0.0], [0.0, 1e-300], [-1.0, 1.0]])
    assert without_information(rows).tolist() == [True, False, False]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_get_unit_length_whatever_their_size(dtype):
    small, large = np.finfo(dtype).tiny, np.finfo(dtype).max / 4
    rows = np.array([[3, -4], [0, 0], [3 * small, 4 * small], [0.6 * large, -0.8 * large]], dtype)
    unit = l2_normalize(rows)
    assert unit.dtype == dtype
    expected = [[0.6, -0.8], [0, 0], [0.6, 0.8], [0.6, -0.8]]
    np.testing.assert_allclose(unit, expected, atol=4 * np.finfo(dtype).eps)


def test_cosine_distances_by_loops():
    rng = np.random.default_rng(0)
    pages = rng.normal(size=(9, 5))
    pages[[2, 7]] = 0
    distances = cosine_distances(pages)
    assert distances.dtype == np.float32
    for i, a in enumerate(pages):
        for j, b in enumerate(pages):
            if i == j:
                assert distances[i, j] == 0
            elif {i, j} & {2, 7}:
                assert distances[i, j] == LARGEST_DISTANCE
            else:
                cosine = a @ b / np.sqrt((a @ a) * (b @ b))
                assert distances[i, j] == pytest.approx(1 - cosine, abs=1e-6)


def test_equal_pages_are_not_nearer_than_zero():
    pages = np.repeat(np.random.default_rng(1).normal(size=(20, 7)), 2, axis=0)
    assert cosine_distances(pages).min() == 0


def test_pages_all_without_information():
    assert cosine_distances(np.zeros((2, 3))).tolist() == [[0, 2], [2, 0]]


@pytest.mark.parametrize(
    ("pages", "message"),
    [
        ([1.0, 2.0], r"real numbers \(pages, D\)"),
        ([[1.0], [np.nan]], "descriptor of page 1 is not finite"),
    ],
)
def test_bad_input(pages, message):
    with pytest.raises(ValueError, match=message):
        cosine_distances(pages)

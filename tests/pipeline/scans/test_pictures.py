"""The pictures of a report."""

import io

import numpy as np
import pytest
from PIL import Image

from dgmp.search.findings import Evidence
from pipeline.scans import pictures
from pipeline.scans.matrix import matrix_picture, shade_range


def read(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "WEBP"
        return np.asarray(image)


def test_sizes_keep_the_proportions_and_nothing_is_enlarged():
    page = np.full((1800, 900), 200, np.uint8)
    assert read(pictures.thumbnail(page)).shape[:2] == (240, 120)
    assert read(pictures.preview(page)).shape[:2] == (900, 450)
    assert read(pictures.preview(page[:100, :60])).shape[:2] == (100, 60)
    assert read(pictures.thumbnail(page[:, :1])).shape[:2] == (240, 1)


def test_the_map_is_opaque_where_the_weight_is():
    positions = np.array([[900.0, 150.0], [100.0, 1700.0], [450.0, 900.0]])
    drawn = read(pictures.weight_map(positions, np.array([4.0, 1.0, -3.0]), (1800, 1000)))
    opacity = drawn[..., 3].astype(int)
    assert opacity.shape == (128, 71)
    y, x = np.argwhere(opacity == opacity.max()).mean(0)
    assert abs(y - 150 / 1800 * 128) <= 1
    assert abs(x - 900 / 1000 * 71) <= 1
    assert opacity[1700 * 128 // 1800, 7] > 20  # the lighter one is seen as well
    assert opacity[64, 32] == 0  # a negative weight is none


def test_a_map_without_weight_is_empty():
    assert not read(pictures.weight_map(np.zeros((0, 2)), np.zeros(0), (50, 50)))[..., 3].any()
    with pytest.raises(ValueError, match=r"positions must be \(3, 2\)"):
        pictures.weight_map(np.zeros((2, 2)), np.zeros(3), (50, 50))


def letters(places, sizes) -> Evidence:
    k = len(places)
    return Evidence(
        np.array(places, np.float32).reshape(k, 2, 2),
        np.array(sizes, np.float32).reshape(k, 2),
        np.full(k, 0.1, np.float32),
    )


def test_a_strip_shows_the_places_of_both_pages():
    page, other = np.full((200, 300), 230, np.uint8), np.full((200, 300), 230, np.uint8)
    page[95:105, 45:55] = 10  # ink at x 50, y 100
    other[20:30, 195:205] = 10  # at x 200, y 25
    evidence = letters([[[50, 100], [200, 25]], [[250, 150], [20, 180]]], [[20, 20], [20, 20]])
    strip = read(pictures.letter_pairs(evidence, page, other)).astype(int)
    tile = pictures.TILE
    assert strip.shape == (2 * tile, 2 * tile, 3)
    middle = tile // 2
    dark = [strip[y + middle, x + middle].max() < 60 for x in (0, tile) for y in (0, tile)]
    assert dark == [True, True, False, False]
    # Corners of the compared square are marked half of half a tile from the middle, in vermilion.
    corner = strip[tile // 4 : tile // 4 + 3, tile // 4 : tile // 4 + 3]
    assert (corner[..., 0] - corner[..., 2]).max() > 60


def test_letters_at_the_edge_of_a_page_and_of_another_size_are_drawn():
    page = np.full((60, 60), 100, np.uint8)
    evidence = letters([[[0, 0], [59.6, 59.6]], [[-3, 70], [30, 30]]], [[500, 2], [1, 1]])
    assert read(pictures.letter_pairs(evidence, page, page)).shape[1] == 2 * pictures.TILE
    with pytest.raises(ValueError, match="no pairs"):
        pictures.letter_pairs(letters([], []), page, page)


def test_the_matrix_is_dark_where_pages_are_alike():
    scores = np.full((6, 6), 0.1, np.float32)
    scores[:3, :3] = scores[3:, 3:] = 0.9
    np.fill_diagonal(scores, np.nan)
    low, high = shade_range(scores)
    assert low < 0.9 <= high + 1e-6
    drawn = read(matrix_picture(scores, (low, high))).astype(int).sum(2)
    assert drawn.shape == (6, 6)
    assert drawn[0, 1] == drawn[0, 0] < drawn[0, 4]
    assert np.array_equal(drawn, drawn.T)


def test_a_long_codex_has_a_smaller_matrix_and_a_single_page_one_cell():
    assert read(matrix_picture(np.zeros((2500, 2500), np.float32), (0, 1))).shape[:2] == (834, 834)
    assert shade_range(np.full((1, 1), np.nan, np.float32)) == (0.0, 1.0)
    assert read(matrix_picture(np.full((1, 1), np.nan, np.float32), (0, 1))).shape[:2] == (1, 1)

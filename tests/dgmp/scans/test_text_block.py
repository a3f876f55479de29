"""The text block of made-up baselines, against its definition in plain loops."""

import math
import statistics
from itertools import pairwise

import cv2
import numpy as np
import pytest

from dgmp.scans.baselines import Baselines, Block
from dgmp.scans.text_block import (
    LARGEST,
    LINE_PITCH,
    TextBlock,
    binarize_by_boxes,
    cut_text_block,
    find_text_block,
)


def block(top: float, count: int, pitch: float, x=(100.0, 500.0), kind: str = "mainzone") -> Block:
    """Straight lines, of which the heights of the two ends differ by a pixel."""
    lines = [np.array([[x[0], top + i * pitch], [x[1], top + i * pitch + 1]]) for i in range(count)]
    return Block(kind, lines)


def oracle(lines: Baselines, height: int, width: int) -> TextBlock:
    """The recipe, line by line."""
    unit = width / lines.width
    lefts, rights, heights, steps = [], [], [], []
    for one in lines.blocks:
        if len(one.baselines) < 4 or any(
            part in one.kind for part in ("margin", "number", "runningtitle", "dropcap", "stamp")
        ):
            continue
        own = []
        for line in one.baselines:
            own.append(statistics.median(y * unit for _, y in line))
            lefts.append(min(x * unit for x, _ in line))
            rights.append(max(x * unit for x, _ in line))
        own.sort()
        steps += [b - a for a, b in pairwise(own) if b - a > 5]
        heights += own
    pitch = statistics.median(steps)

    def at(values: list[float], percent: float) -> float:
        values = sorted(values)
        place = percent / 100 * (len(values) - 1)
        below = math.floor(place)
        above = min(below + 1, len(values) - 1)
        return values[below] + (place - below) * (values[above] - values[below])

    return TextBlock(
        max(0, int(at(lefts, 2) - 0.3 * pitch)),
        max(0, int(min(heights) - pitch)),
        min(width, int(at(rights, 98) + 0.3 * pitch)),
        min(height, int(max(heights) + pitch / 2)),
        64 / pitch,
    )


def test_smoke_one_column():
    found = find_text_block(Baselines([block(200, 10, 40)], 800), 1000, 800)
    assert found == TextBlock(88, 160, 512, 580, LINE_PITCH / 40)


@pytest.mark.parametrize("seed", range(8))
def test_oracle_of_random_pages(seed):
    rng = np.random.default_rng(seed)
    kinds = ["mainzone", "margintextzone", "numberingzone", "", "mainzone"]
    blocks = []
    for kind in kinds:
        count = int(rng.integers(2, 30))
        lines = [
            np.sort(rng.uniform(0, 700, (int(rng.integers(2, 6)), 2)), axis=0) * [1, 0]
            + [0, rng.uniform(50, 1400)]
            + rng.normal(size=(1, 2))
            for _ in range(count)
        ]
        blocks.append(Block(kind, lines))
    blocks.append(block(60, 30, 44))
    lines = Baselines(blocks, 750)
    found, wanted = find_text_block(lines, 1500, 1000), oracle(lines, 1500, 1000)
    assert found[:4] == wanted[:4]
    assert found.scale == pytest.approx(wanted.scale)


def test_columns_side_by_side_do_not_halve_the_pitch():
    columns = [block(200, 12, 40), block(220, 12, 40, (600, 900))]
    assert find_text_block(Baselines(columns, 1000), 1000, 1000).scale == LINE_PITCH / 40


@pytest.mark.parametrize("kind", ["margintextzone", "numberingzone", "runningtitlezone",
                                  "dropcapitalzone", "stampzone"])  # fmt: skip
def test_other_blocks_do_not_count(kind):
    alone = find_text_block(Baselines([block(200, 10, 40)], 800), 1000, 800)
    aside = [block(200, 10, 40), block(20, 9, 11, (5, 50), kind), block(900, 3, 12, (5, 50))]
    assert find_text_block(Baselines(aside, 800), 1000, 800) == alone


def test_it_ends_with_the_image():
    found = find_text_block(Baselines([block(10, 10, 40, (2, 798))], 800), 372, 800)
    assert found[:4] == (0, 0, 800, 372)


@pytest.mark.parametrize(
    ("blocks", "reason"),
    [
        ([], "no text block with 4 lines"),
        ([block(200, 3, 40)], "no text block with 4 lines"),
        ([block(200, 9, 40, kind="stampzone")], "no text block with 4 lines"),
        ([block(200, 9, 4)], "no text block with 4 lines"),
        ([block(200, 9, 20)], r"pitch of 20\.0 pixels is scaled by 3\.20, allowed are"),
        ([block(2000, 9, 40)], "outside the image of 1000 x 800 pixels"),
    ],
)
def test_errors(blocks, reason):
    with pytest.raises(ValueError, match=reason):
        find_text_block(Baselines(blocks, 800), 1000, 800)


@pytest.mark.parametrize("pitch", [40, 64, 128])
def test_the_page_has_the_pitch(pitch):
    image = np.full((30 * pitch, 20 * pitch, 3), 200, np.uint8)
    heights = [pitch * (2 + i) for i in range(20)]
    for y in heights:
        image[y - 3 : y, pitch : 10 * pitch] = 0
    lines = Block("", [np.array([[pitch, y], [10 * pitch, y]], float) for y in heights])
    found = find_text_block(Baselines([lines], image.shape[1]), *image.shape[:2])
    page = cut_text_block(image, found)
    assert page.dtype == np.uint8
    dark = np.flatnonzero(page[:, page.shape[1] // 2] < 100)
    starts = dark[np.flatnonzero(np.diff(dark, prepend=-9) > 1)]
    assert len(starts) == 20
    assert np.all(np.abs(np.diff(starts) - LINE_PITCH) <= 1)


def test_a_large_page_is_cut():
    image = np.zeros((2700, 2300, 3), np.uint8)
    image[2399, 1999] = 255
    page = cut_text_block(image, TextBlock(0, 0, 2300, 2700, 1.0))
    assert page.shape == LARGEST
    assert page[-1, -1] == 255


@pytest.mark.parametrize("window", [5, 9])
def test_oracle_sauvola_pixel_by_pixel(window):
    rng = np.random.default_rng(window)
    ink = np.where(rng.random((24, 30)) < 0.2, np.uint8(20), np.uint8(230))
    page = cv2.GaussianBlur(ink, (0, 0), 0.7)
    found = binarize_by_boxes(page, window=window, k=0.2, blur=0.8)
    smooth = cv2.GaussianBlur(page, (0, 0), 0.8).astype(float)
    around = np.pad(smooth, window // 2, mode="reflect")
    margin = np.empty(page.shape)
    for y in range(page.shape[0]):
        for x in range(page.shape[1]):
            part = around[y : y + window, x : x + window]
            mean = part.mean()
            margin[y, x] = smooth[y, x] - mean * (1 + 0.2 * (part.std() / 128 - 1))
    clear = np.abs(margin) > 0.01  # single precision decides otherwise
    assert clear.mean() > 0.99
    np.testing.assert_array_equal((found == 255)[clear], (margin > 0)[clear])
    assert set(np.unique(found)) == {0, 255}

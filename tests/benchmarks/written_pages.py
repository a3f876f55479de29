"""Pages of words for the benchmarks, binary and grey."""

from pathlib import Path

import cv2
import numpy as np

from dgmp.images.binarization import binarize
from dgmp.images.reading import write_bilevel

HEIGHT, WIDTH = 2400, 2000
# Median of 96 pages of the collection that CLaMM was drawn from.
GREY_HEIGHT, GREY_WIDTH = 1738, 1364


def written_page(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Lines of words with a margin, uint8 (height, width), about a fifth of the lines ink."""
    page = np.full((height, width), 255, np.uint8)
    face = cv2.FONT_HERSHEY_TRIPLEX
    for baseline in range(height // 10, height - height // 12, 64):
        x = width // 10
        while x < 0.8 * width:
            word = "".join(rng.choice(list("abcdefghilmnopqrstuv"), rng.integers(2, 9)))
            cv2.putText(page, word, (x, baseline), face, 1.5, (0,), 4)
            x += cv2.getTextSize(word, face, 1.5, 4)[0][0] + 25
    return page


def write_binary_pages(folder: Path, count: int) -> list[Path]:
    """One-bit PNG files of HEIGHT x WIDTH."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    files = [folder / f"{number:03d}.png" for number in range(count)]
    for file in files:
        write_bilevel(file, binarize(written_page(rng, HEIGHT, WIDTH), "otsu"))
    return files


def write_grey_pages(folder: Path, count: int, *, scale: int) -> list[Path]:
    """Uncompressed TIFF files of GREY_HEIGHT x GREY_WIDTH, or `scale` times as long and wide."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    files = [folder / f"{number:03d}.tif" for number in range(count)]
    for file in files:
        page = cv2.GaussianBlur(written_page(rng, GREY_HEIGHT, GREY_WIDTH), (0, 0), 1)
        size = (scale * GREY_WIDTH, scale * GREY_HEIGHT)
        page = cv2.resize(page, size, interpolation=cv2.INTER_CUBIC) // 2
        grain = rng.integers(60, 90, page.shape, dtype=np.uint8)
        cv2.imwrite(str(file), page + grain, [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    return files

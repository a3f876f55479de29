"""Small patches of a binary page around its keypoints."""

import numpy as np

from dgmp.images.binarization import INK


def cut_around(page: np.ndarray, positions: np.ndarray, size: int) -> np.ndarray:
    """Cut a patch around each position; beyond the page there is background.

    Args:
        page: uint8 (H, W), 0 is ink.
        positions: (n, 2), x and y in pixels of the page; the patch reaches from `size // 2` pixels
            before the nearest pixel to `size - size // 2 - 1` after it.
        size: Side of a patch in pixels.

    Returns:
        uint8 (n, size, size), 1 is ink.

    Raises:
        ValueError: The page is not uint8 (H, W), or a position lies outside of it.

    >>> page = np.full((4, 5), 255, np.uint8)
    >>> page[1, 1:4] = 0
    >>> cut_around(page, np.array([[0.2, 0.9]]), 3)
    array([[[0, 0, 0],
            [0, 0, 1],
            [0, 0, 0]]], dtype=uint8)
    """
    if page.dtype != np.uint8 or page.ndim != 2:
        raise ValueError(f"patches are cut from a page uint8 (H, W), got {page.dtype} {page.shape}")
    left, top = np.rint(positions).astype(np.int64).reshape(-1, 2).T
    height, width = page.shape
    # Half a pixel beyond is rounded to the pixel after the last.
    outside = (left < 0) | (left > width) | (top < 0) | (top > height)
    if outside.any():
        raise ValueError(
            f"{outside.sum()} of {len(positions)} positions lie outside the page of {width} x "
            f"{height} pixels, the first at {tuple(positions[outside.argmax()].tolist())}: "
            "describe the page again, its image has another size now"
        )
    ink = np.pad((page == INK).view(np.uint8), size)
    windows = np.lib.stride_tricks.sliding_window_view(ink, (size, size))
    return windows[top + size - size // 2, left + size - size // 2]

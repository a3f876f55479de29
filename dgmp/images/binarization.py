"""Ink or background: binary pages from grey ones."""

import cv2
import doxapy
import numpy as np

INK, BACKGROUND = 0, 255
METHODS = ("otsu", "sauvola")


def binarize(page: np.ndarray, method: str, *, window: int = 75, k: float = 0.2) -> np.ndarray:
    """Separate ink (0) from background (255) on a page uint8 (H, W) of dark ink on light ground.

    A page that has only two tones is taken as binarized: the darker becomes ink. A page of one
    tone has no ink.

    Args:
        page: grey page.
        method: `otsu`, one threshold for the page (Otsu, 1979), or `sauvola`, a threshold for
            every pixel from mean and deviation around it (Sauvola and Pietikäinen, 2000).
        window: side of Sauvola's neighbourhood in pixels, about one line pitch; an even one is
            raised by 1, and none is larger than the shorter side of the page.
        k: Sauvola's weight of the deviation; larger gives less ink.

    Raises:
        ValueError: unknown method, a window below 3, or a page that is not uint8 (H, W).

    >>> binarize(np.array([[3, 90], [90, 90]], np.uint8), "otsu")
    array([[  0, 255],
           [255, 255]], dtype=uint8)
    """
    if page.dtype != np.uint8 or page.ndim != 2 or page.size == 0:
        raise ValueError(f"binarize takes a page uint8 (H, W), got {page.dtype} {page.shape}")
    if method not in METHODS:
        raise ValueError(f"binarize: unknown method {method!r}; known: {', '.join(METHODS)}")
    tones = np.flatnonzero(cv2.calcHist([page], [0], None, [256], [0, 256]))
    if len(tones) == 1:
        return np.full_like(page, BACKGROUND)
    if len(tones) == 2:
        return np.where(page == tones[0], np.uint8(INK), np.uint8(BACKGROUND))
    if method == "otsu":
        return cv2.threshold(page, 0, BACKGROUND, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1]
    # Windows that reach far beyond the page make doxapy write outside its memory.
    side = min(window | 1, (min(page.shape) - 1) | 1)
    if side < 3:
        raise ValueError(
            f"binarize: Sauvola's window and the page must have at least 3 pixels, got window "
            f"{window} on {page.shape[0]} x {page.shape[1]}"
        )
    sauvola = doxapy.Binarization(doxapy.Binarization.Algorithms.SAUVOLA)
    sauvola.initialize(np.ascontiguousarray(page))
    binary = np.empty_like(page)
    sauvola.to_binary(binary, {"window": side, "k": k})
    return binary


def shrink(page: np.ndarray, scale: float) -> np.ndarray:
    """Reduce a binary page uint8 (H, W) by `scale` (at most 1); half-covered pixels are ink.

    Raises:
        ValueError: scale is not above 0 and at most 1.
    """
    if not 0 < scale <= 1:
        raise ValueError(f"shrink takes a scale above 0 and at most 1, got {scale}")
    height, width = (max(1, round(length * scale)) for length in page.shape)
    if (height, width) == page.shape:
        return page
    coverage = cv2.resize(page, (width, height), interpolation=cv2.INTER_AREA)
    # Half coverage is 127.5, which OpenCV rounds to 128.
    return cv2.threshold(coverage, 128, BACKGROUND, cv2.THRESH_BINARY)[1]

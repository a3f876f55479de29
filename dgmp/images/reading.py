"""Page images from files and bilevel pages to files."""

from pathlib import Path

import cv2
import numpy as np

from dgmp.files import whole_file

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8"
WHITE = 255


def read_gray(path: Path | str) -> np.ndarray:
    """Read a page image of any bit depth, in grey or colour, as uint8 (H, W).

    Deeper images are scaled to 8 bits, transparent pixels become white paper, and photographs
    are turned upright as their EXIF data ask.

    Raises:
        ValueError: the file is missing, empty, cut off or not an image; the message names it.
    """
    path = Path(path)
    try:
        data = np.fromfile(path, np.uint8)
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: put the page there or correct its row") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None
    _check_complete(path, data.tobytes())
    # With IMREAD_UNCHANGED, OpenCV keeps depth and alpha but ignores EXIF, which JPEGs need.
    mode = cv2.IMREAD_GRAYSCALE if data[:2].tobytes() == JPEG else cv2.IMREAD_UNCHANGED
    try:
        image = cv2.imdecode(data, mode)
    except cv2.error:
        image = None
    if image is None:
        raise ValueError(f"{path} is not a readable image: save it again as PNG, TIFF or JPEG")
    return _gray(_eight_bits(path, image))


def write_bilevel(path: Path | str, page: np.ndarray) -> None:
    """Write a page of ink 0 and background 255, uint8 (H, W), as a 1-bit PNG.

    The file appears whole or not at all.

    Raises:
        ValueError: the page has other values, or `path` does not end in .png.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path}: a bilevel page is written as PNG, name it *.png")
    if not is_binary(page):
        raise ValueError(f"{path}: a bilevel page has only ink 0 and background 255; binarize it")
    with whole_file(path) as part:
        cv2.imwrite(str(part), page, [cv2.IMWRITE_PNG_BILEVEL, 1])


def is_binary(page: np.ndarray) -> bool:
    """Whether a page uint8 (H, W) holds nothing but ink 0 and background 255.

    >>> is_binary(np.array([[0, 255]], np.uint8)), is_binary(np.array([[0, 1]], np.uint8))
    (True, False)
    """
    if page.dtype != np.uint8 or page.ndim != 2:
        return False
    return cv2.countNonZero(cv2.inRange(page, (1,), (WHITE - 1,))) == 0


def _check_complete(path: Path, data: bytes) -> None:
    """Decoders fill the missing end of a cut-off file with grey instead of failing."""
    if not data:
        raise ValueError(f"{path} is empty: copy the page again")
    if data.startswith(PNG):
        complete = data.rfind(b"IEND") > 0
    elif data.startswith(JPEG):
        # Inside a scan 0xFF is escaped, so the end marker of the last scan follows its start;
        # an embedded thumbnail has both markers before that.
        complete = data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")
    else:
        complete = True
    if not complete:
        raise ValueError(f"{path} is cut off: copy the page again")


def _eight_bits(path: Path, image: np.ndarray) -> np.ndarray:
    if image.dtype == np.uint8:
        return image
    if image.dtype == np.uint16:
        return (image >> 8).astype(np.uint8)
    if image.dtype == bool:
        return image.astype(np.uint8) * np.uint8(WHITE)
    raise ValueError(f"{path} has pixels of type {image.dtype}: save it with 8 or 16 bits")


def _gray(image: np.ndarray) -> np.ndarray:
    if image.ndim == 2:
        return image
    channels = image.shape[2]
    if channels == 1:
        return image[:, :, 0]
    if channels == 3:
        return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    tone = image[:, :, 0] if channels == 2 else cv2.cvtColor(image, cv2.COLOR_BGRA2GRAY)
    alpha = image[:, :, -1].astype(np.uint16)
    on_white = tone * alpha + WHITE * (WHITE - alpha)
    return ((on_white + WHITE // 2) // WHITE).astype(np.uint8)

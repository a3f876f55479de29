"""Page images from files and bilevel pages to files."""

import re
from pathlib import Path

import cv2
import numpy as np

from dgmp.files import whole_file
from dgmp.images.depth import eight_bits
from dgmp.images.headers import PNG, read_header, upright
from dgmp.images.quiet import quiet_stderr
from dgmp.images.tiff import HEADERS, tiff_pages

JPEG = b"\xff\xd8"
WHITE = 255
NUMBERED = re.compile(r"(.+)#(\d+)", re.DOTALL)


def read_gray(path: Path | str) -> np.ndarray:
    """Read a page image of any bit depth, in grey or colour, as uint8 (H, W).

    Deeper images are scaled to 8 bits, transparent pixels become white paper, and pages are
    turned upright as their EXIF data ask. `scan.tif#2` is the second page of a TIFF of several.

    Raises:
        ValueError: the file is missing, empty, cut off or not an image, or has several pages of
            which `path` names none; the message names it.
    """
    path, number = split_number(Path(path))
    data = _read(path)
    _check_complete(path, data)
    if data.startswith(HEADERS):
        return _read_tiff(path, data, number)
    header = read_header(data)
    if header.images > 1:
        raise ValueError(f"{path} has {header.images} images: save the page alone, as PNG or TIFF")
    if number not in (None, 1):
        raise ValueError(f"{path}#{number} is missing: the file has one page")
    # With IMREAD_UNCHANGED, OpenCV keeps depth and alpha but ignores EXIF, which JPEGs need.
    mode = cv2.IMREAD_GRAYSCALE if data.startswith(JPEG) else cv2.IMREAD_UNCHANGED
    return upright(_gray(_eight_bits(path, _decode(path, data, mode))), header.orientation)


def split_number(path: Path) -> tuple[Path, int | None]:
    """Split a path that ends in # and the number of a page from 1, unless a file has that name."""
    found = NUMBERED.fullmatch(path.name)
    if found is None or path.exists():
        return path, None
    return path.with_name(found[1]), int(found[2])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: put the page there or correct its row") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None


def _read_tiff(path: Path, data: bytes, number: int | None) -> np.ndarray:
    try:
        pages = tiff_pages(data)
    except ValueError as error:
        raise ValueError(f"{path} {error}: copy the page again") from None
    if number is None and len(pages) > 1:
        raise ValueError(
            f"{path} has {len(pages)} pages: name each in a row of its own as {path.name}#1 to "
            f"{path.name}#{len(pages)}, or save them as single files"
        )
    number = 1 if number is None else number
    if not 0 < number <= len(pages):
        raise ValueError(f"{path}#{number} is missing: the file has {len(pages)} pages")
    page = pages[number - 1]
    image = _decode(path, data, cv2.IMREAD_UNCHANGED, page.directory)
    # OpenCV scales samples of 10 to 14 bits to 16, and inverts those of 8 bits at most.
    full = (1 << 16) - 1 if page.bits < 16 else page.largest
    return _gray(_eight_bits(path, image, full, min_is_white=page.min_is_white))


def _decode(path: Path, data: bytes, mode: int, index: int = 0) -> np.ndarray:
    buffer = np.frombuffer(data, np.uint8)
    image = None
    try:
        with quiet_stderr():
            if index:
                _, images = cv2.imdecodemulti(buffer, mode, range=(index, index + 1))
                image = images[0] if images else None
            else:
                image = cv2.imdecode(buffer, mode)
    except cv2.error:
        pass
    if image is None:
        raise ValueError(f"{path} is not a readable image: save it again as PNG, TIFF or JPEG")
    return image


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


def _eight_bits(
    path: Path, image: np.ndarray, largest: int | None = None, *, min_is_white: bool = False
) -> np.ndarray:
    if image.dtype == np.uint8:
        return image
    if image.dtype == bool:
        return image.astype(np.uint8) * np.uint8(WHITE)
    if image.dtype != np.uint16:
        raise ValueError(f"{path} has pixels of type {image.dtype}: save it with 8 or 16 bits")
    if image.ndim == 2 or image.shape[2] % 2:
        return eight_bits(image, largest=largest, min_is_white=min_is_white)
    tones, alpha = image[:, :, :-1], image[:, :, -1:]
    return np.dstack([eight_bits(tones, largest=largest), eight_bits(alpha, largest=largest)])


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

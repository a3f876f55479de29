"""Photographic negatives: light ink on a dark ground, as on microfilm and on inverted scans."""

import cv2
import numpy as np

CHOICES = ("auto", "always", "never")

# Pixels of the longer side at which polarity is measured: strokes of a 300 dpi page are then 2 to 5
# wide, and the median of NEIGHBOURHOOD x NEIGHBOURHOOD pixels is the ground they stand on.
SIDE = 800
NEIGHBOURHOOD = 31
FIELDS = 10
# Tones of standard deviation up to which a field has no vote, because paper without writing has as
# much, and from which on it has a whole one.
NOISE, CONTRAST = 4, 16
# Polarity from which on a page is a negative. Of 931 pages, photographs and binary ones, none has
# more than -0.5.
NEGATIVE = 0.2


def turn_positive(page: np.ndarray, choice: str) -> tuple[np.ndarray, bool]:
    """Give dark ink on a light ground, and whether the page had to be inverted for it.

    Args:
        page: uint8 (H, W).
        choice: `auto` turns round what `is_negative`, `always` every page, `never` none.

    Raises:
        ValueError: unknown choice.
    """
    if choice not in CHOICES:
        raise ValueError(f"negative: unknown choice {choice!r}; known: {', '.join(CHOICES)}")
    turn = choice == "always" or (choice == "auto" and is_negative(page))
    return (~page if turn else page), turn


def is_negative(page: np.ndarray) -> bool:
    """Whether a page uint8 (H, W) shows light ink on a dark ground; in doubt it does not.

    >>> page = np.full((200, 200), 220, np.uint8)
    >>> page[20:180:20] = 40
    >>> is_negative(page), is_negative(255 - page)
    (False, True)
    """
    return polarity(page) > NEGATIVE


def polarity(page: np.ndarray) -> float:
    """Tone of the strokes against the ground around them: -1 all dark on light, 1 the reverse.

    The page is shrunk, and the median around each pixel, which is the ground since strokes cover
    less than half of it, is subtracted; borders, dark parchment and shadows go with it. The
    skewness of the rest, sum d³ / sum |d|³, is taken field by field, and fields are averaged with
    their contrast as weight, within limits: noise and bright objects do not outweigh writing.
    A page without contrast has 0, and `polarity(255 - page)` is `-polarity(page)`.

    Args:
        page: uint8 (H, W).
    """
    scale = min(1, SIDE / max(page.shape))
    if scale < 1:
        page = cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    ground = cv2.medianBlur(page, NEIGHBOURHOOD)
    deviation = page.astype(np.float32) - ground
    rows, columns = (min(FIELDS, length) for length in page.shape)
    square = deviation * deviation
    moments = [
        cv2.resize(power, (columns, rows), interpolation=cv2.INTER_AREA)
        for power in (square, square * deviation, square * np.abs(deviation))
    ]
    squares, cubes, sizes = (moment.astype(np.float64) for moment in moments)
    weights = np.clip(np.sqrt(squares), NOISE, CONTRAST) - NOISE
    if not weights.any():
        return 0.0
    skewness = np.divide(cubes, sizes, out=np.zeros_like(cubes), where=sizes > 0)
    return float(np.average(skewness, weights=weights))

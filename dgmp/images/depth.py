"""Pages deeper than 8 bits as 8-bit ones."""

import numpy as np

DEPTHS = (8, 10, 12, 14, 16)


def bit_depth(largest: int) -> int:
    """Bits that a camera or scanner gave to samples of which `largest` is the largest.

    The smallest of 8, 10, 12, 14 and 16 that holds it: files say 16 of samples of 10 to 14 bits as
    well. A page of true 16 bits is misjudged only if nothing on it reaches a quarter of full white,
    and becomes brighter by a power of 4 then.

    >>> [bit_depth(largest) for largest in (255, 1000, 4080, 16383, 16384)]
    [8, 10, 12, 14, 16]
    """
    return next(depth for depth in DEPTHS if largest < 1 << depth)


def eight_bits(
    samples: np.ndarray, *, largest: int | None = None, min_is_white: bool = False
) -> np.ndarray:
    """Scale samples uint16 of any shape to uint8 by the bits that they use.

    Args:
        samples: tones of a page, or its transparency.
        largest: the largest sample that is possible, where the file tells; the largest that
            occurs otherwise.
        min_is_white: 0 stands for white.
    """
    depth = bit_depth(max(largest or 0, int(samples.max(initial=0))))
    tones = (samples >> (depth - 8)).astype(np.uint8)
    return ~tones if min_is_white else tones

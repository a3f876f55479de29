"""Made-up local descriptors and page descriptors, alike for all benchmarks of the encoding."""

import numpy as np

MODES = 400
"""Of the distribution that local descriptors are drawn from; a page prefers some of them.

With 100 centres and 2,250 descriptors a page nine tenths of the clusters have 3 to 49 of them, one
fewer than 9 in four, the largest of 60 pages 130 to 163; some are empty.
"""
PAGES_A_WRITER = 5


def local_descriptors(pages: int, count: int, width: int) -> list[np.ndarray]:
    """Of each page float32 (count, width), of length 1."""
    rng = np.random.default_rng(0)
    modes = rng.standard_normal((MODES, width), dtype=np.float32)
    made = []
    for _ in range(pages):
        shares = rng.dirichlet(np.full(MODES, 0.5))
        vectors = modes[rng.choice(MODES, count, p=shares)]
        vectors += 0.7 * rng.standard_normal((count, width), dtype=np.float32)
        made.append(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    return made


def page_descriptors(pages: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Float32 (pages, width) of length 1 of writers who differ a little, and the writers."""
    rng = np.random.default_rng(0)
    writers = np.arange(pages) // PAGES_A_WRITER
    vectors = rng.standard_normal((pages, width), dtype=np.float32)
    vectors += 0.3 * rng.standard_normal((writers[-1] + 1, width), dtype=np.float32)[writers]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, writers

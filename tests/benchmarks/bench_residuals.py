"""Generalized max pooling of all centres of a page, beside loops over the centres."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from dgmp.encoding.residual_pooling import assign, pool_residuals, residuals_of
from dgmp.encoding.vlad import PAGES_AT_ONCE, VLAD
from tests.benchmarks.made_up_descriptors import local_descriptors

SHAPES = [(2250, 64), (2250, 128)]
"""Local descriptors of a page, and their entries."""
CENTRES = 100
LAMBDA = 1.0
Pool = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
# Rows of the matrix product whose speed the floor is reckoned by.
PRODUCT = 1024
# Largest difference of two ways in float32, as a fraction of the largest value.
SAME = 1e-4


def primal_loop(residuals: np.ndarray, nearest: np.ndarray, centres: int) -> np.ndarray:
    """(R^T R + lambda I) xi = R^T 1 of each centre, by `numpy.linalg.solve`."""
    pooled = np.zeros((centres, residuals.shape[1]), np.float32)
    identity = LAMBDA * np.eye(residuals.shape[1], dtype=np.float32)
    for centre, own in _members(residuals, nearest, centres):
        pooled[centre] = np.linalg.solve(own.T @ own + identity, own.sum(axis=0))
    return pooled


def smaller_loop(residuals: np.ndarray, nearest: np.ndarray, centres: int) -> np.ndarray:
    """The same, or (R R^T + lambda I) alpha = 1 with xi = R^T alpha where that is smaller."""
    width = residuals.shape[1]
    pooled = np.zeros((centres, width), np.float32)
    identity = LAMBDA * np.eye(width, dtype=np.float32)
    for centre, own in _members(residuals, nearest, centres):
        count = len(own)
        if count < width:
            system = own @ own.T + identity[:count, :count]
            pooled[centre] = own.T @ np.linalg.solve(system, np.ones(count, np.float32))
        else:
            pooled[centre] = np.linalg.solve(own.T @ own + identity, own.sum(axis=0))
    return pooled


def _members(
    residuals: np.ndarray, nearest: np.ndarray, centres: int
) -> list[tuple[int, np.ndarray]]:
    order = np.argsort(nearest, kind="stable")
    parts = np.split(residuals[order], np.cumsum(np.bincount(nearest, minlength=centres))[:-1])
    return [(centre, own) for centre, own in enumerate(parts) if len(own)]


def ours(residuals: np.ndarray, nearest: np.ndarray, centres: int) -> np.ndarray:
    return pool_residuals(residuals, nearest, centres, pooling="gmp", lambda_=LAMBDA)[0]


def least_operations(sizes: np.ndarray, width: int) -> float:
    """Half the smaller Gram matrix of each centre, its Cholesky factor, ten for each entry."""
    n, m = np.minimum(sizes, width).astype(float), np.maximum(sizes, width).astype(float)
    return float((n * n * m + n**3 / 3 + 10 * n * m).sum())


def report(rounds: int) -> None:
    """Print the section."""
    print(
        f"\n## Generalized max pooling of the {CENTRES} centres of a page\n\n"
        f"Residuals and nearest centres are given. Ours: `pool_residuals`, {PAGES_AT_ONCE} pages "
        "at once as in `VLAD.transform`, and\none by one. Primal loop: `numpy.linalg.solve` of a "
        "D×D system for each centre. Smaller loop: of the n×n or\nthe D×D system, whichever is "
        "smaller. Floor: half the smaller Gram matrix, its Cholesky factor and ten\noperations an "
        f"entry, at the speed of a matrix product of {PRODUCT:,} rows. Milliseconds a page, all on "
        f"the same\n{PAGES_AT_ONCE} pages, lambda {LAMBDA:g}, float32, one thread. All ways give "
        "the same rows.\n\n"
        "| descriptors, D | descriptors of a centre: median | largest | floor | ours | ours, one "
        "by one | primal loop | smaller loop | ours / floor | primal / ours | smaller / ours "
        "| smaller / one by one |\n|:--|" + "--:|" * 11
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(limits=1):
        for shape in tqdm(SHAPES, desc="pooling", disable=None):
            print(f"| {' | '.join(_row(*shape, rounds))} |", flush=True)
    torch.set_num_threads(threads)


def _row(count: int, width: int, rounds: int) -> list[str]:
    """The cells of a shape."""
    pages = local_descriptors(PAGES_AT_ONCE, count, width)
    vlad = VLAD(CENTRES, pooling="gmp", residuals="unit", sample=10 * count).fit(pages)
    (vocabulary,) = vlad.vocabularies_
    nearest = [assign(page, vocabulary) for page in pages]
    residuals = [
        residuals_of(page, vocabulary, own, "unit")
        for page, own in zip(pages, nearest, strict=True)
    ]
    together = np.concatenate(residuals)
    shifted = np.concatenate([own + CENTRES * number for number, own in enumerate(nearest)])

    def one_by_one(pool: Pool) -> np.ndarray:
        pairs = zip(residuals, nearest, strict=True)
        return np.concatenate([pool(*pair, CENTRES) for pair in pairs])

    ways = [
        lambda: ours(together, shifted, CENTRES * PAGES_AT_ONCE),
        lambda: one_by_one(ours),
        lambda: one_by_one(primal_loop),
        lambda: one_by_one(smaller_loop),
    ]
    require_same([way() for way in ways], vlad.transform(pages).reshape(-1, width))
    square = np.ones((PRODUCT, PRODUCT), np.float32)
    runs = [lambda: square @ square, *ways]
    times = np.array([[milliseconds(run) for run in runs] for _ in range(rounds)])
    sizes = np.bincount(shifted, minlength=CENTRES * PAGES_AT_ONCE)
    times[:, 0] *= least_operations(sizes, width) / (2 * PRODUCT**3)
    floor, our, single, primal, smaller = times.T
    ratios = [our / floor, primal / our, smaller / our, smaller / single]
    return [
        f"{count:,}, {width}",
        f"{np.median(sizes):.0f}",
        f"{sizes.max()}",
        *(f"{value:.2f}" for value in np.median(times, axis=0) / PAGES_AT_ONCE),
        *(f"{np.median(ratio):.1f}" for ratio in ratios),
    ]


def require_same(rows: list[np.ndarray], expected: np.ndarray) -> None:
    """Raise ValueError unless all ways give the rows of `VLAD.transform`, up to rounding."""
    for number, found in enumerate(rows):
        difference = np.abs(found - expected).max() / np.abs(expected).max()
        if not difference < SAME:
            raise ValueError(f"way {number} differs from VLAD.transform by {difference:.1e}")


def milliseconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - start)

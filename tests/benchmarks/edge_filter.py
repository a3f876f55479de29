"""Decisions of the edge filter beside those of the authors' filter, on real pages.

Theirs is scikit-image's Canny on each patch alone; ours is OpenCV's, once on the whole page. The
steps between tell apart what the patch's border does and what the implementation does.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from skimage.feature import canny

from dgmp.images.binarization import binarize
from dgmp.images.edges import edge_map
from dgmp.images.patches import grid_corners, patch_sums
from dgmp.images.reading import read_gray
from pipeline.shared.parallel import in_parallel
from pipeline.shared.settings.params import load_params

SETTINGS = load_params(Path(__file__).parents[2] / "params.yaml").profiles.paper.patches
"""Section IV-C.1; sigma is the authors' code's."""
AUTHORS, WHOLE, FLOAT, PER_PATCH, OURS = range(5)
"""Columns of `edge_counts`."""
COMPARED = {
    (AUTHORS, OURS): "all",
    (AUTHORS, WHOLE): "whole page instead of the patch alone (scikit-image)",
    (PER_PATCH, OURS): "whole page instead of the patch alone (OpenCV)",
    (WHOLE, OURS): "OpenCV instead of scikit-image, on the whole page",
    (WHOLE, FLOAT): "the same, with a Gaussian in float",
    (FLOAT, OURS): "Gaussian in bytes instead of float (OpenCV)",
}


def edge_counts(file: Path) -> np.ndarray:
    """Edge pixels of each patch of a page by five ways, int (n, 5)."""
    page = binarize(read_gray(file), "otsu")
    size, sigma = SETTINGS.size, SETTINGS.sigma
    if min(page.shape) < size:
        return np.empty((0, 5), int)
    corners = grid_corners(*page.shape, size=size, stride=SETTINGS.stride)
    patches = [np.ascontiguousarray(page[y : y + size, x : x + size]) for y, x in corners]
    return np.stack(
        [
            np.array([canny(patch, sigma=sigma).sum() for patch in patches]),
            patch_sums(canny(page, sigma=sigma), corners, size),
            patch_sums(_float_edges(page, sigma), corners, size),
            np.array([edge_map(patch, sigma=sigma).sum() for patch in patches]),
            patch_sums(edge_map(page, sigma=sigma), corners, size),
        ],
        axis=1,
    )


def _float_edges(page: np.ndarray, sigma: float) -> np.ndarray:
    """`edge_map` without rounding to whole grey levels: to eighths."""
    side = 2 * int(4 * sigma + 0.5) + 1
    smooth = cv2.GaussianBlur(
        8 * page.astype(np.float32), (side, side), sigma, borderType=cv2.BORDER_REFLECT
    )
    gradient = [cv2.Sobel(smooth, cv2.CV_16S, *axis) for axis in ((1, 0), (0, 1))]
    edges = cv2.Canny(*gradient, 8 * 25.5, 8 * 51, L2gradient=True) > 0
    edges[[0, -1], :] = False
    edges[:, [0, -1]] = False
    return edges


def agreement(counts: np.ndarray, one: int = AUTHORS, other: int = OURS) -> float:
    """Share of the patches that both columns accept or both reject."""
    accepted = counts > SETTINGS.threshold
    return float((accepted[:, one] == accepted[:, other]).mean())


def report(title: str, files: Sequence[Path], workers: int) -> None:
    """Print the section of a set of pages."""
    found = in_parallel(edge_counts, files, workers=workers, title=title)
    counts = np.concatenate(list(found))
    accepted = counts > SETTINGS.threshold
    print(
        f"\n## {title}\n\n{len(files)} pages, {len(counts)} patches; the authors' filter rejects "
        f"{(~accepted[:, AUTHORS]).sum()}.\n\n"
        "| difference | same decision | only the first accepts | only the second accepts "
        "| edge pixels, second / first |\n|:--|--:|--:|--:|--:|"
    )
    for (one, other), difference in COMPARED.items():
        first, second = accepted[:, one], accepted[:, other]
        ratio = counts[first, other] / counts[first, one]
        print(
            f"| {difference} | {100 * agreement(counts, one, other):.2f} % "
            f"| {(first & ~second).sum()} | {(second & ~first).sum()} | {np.median(ratio):.3f} |"
        )
    theirs = counts[accepted[:, AUTHORS] != accepted[:, OURS], AUTHORS]
    far = np.abs(theirs - SETTINGS.threshold)
    if len(far):
        print(
            f"\nWhere the decisions differ, the authors' count is {theirs.min()} to "
            f"{theirs.max()} (threshold {SETTINGS.threshold:g}), half of\nthem within "
            f"{np.median(far):.0f} edge pixels of it."
        )
    near = np.abs(counts[:, AUTHORS] - SETTINGS.threshold) <= 0.2 * SETTINGS.threshold
    if near.any():
        print(
            f"Of the {near.sum()} patches within 20 % of the threshold, "
            f"{100 * agreement(counts[near]):.1f} % are decided alike."
        )

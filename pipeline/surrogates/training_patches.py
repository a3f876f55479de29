"""Patches at the keypoints of the training pages, labelled by clusters of their descriptors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from dgmp.encoding.surrogates.classes import UNCLEAR, even_share, find_classes, first_of_equals
from dgmp.encoding.surrogates.keypoint_patches import cut_around
from dgmp.encoding.vlad import draw
from dgmp.images.reading import read_gray
from pipeline.shared.settings.surrogates import Surrogates
from pipeline.systems.local_store import LocalStore


def training_patches(
    store: LocalStore, binary: Path, settings: Surrogates, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Cut patches and label them by their surrogate class.

    Args:
        store: SIFT descriptors of the training pages.
        binary: Folder to which the pages' files are relative.
        settings: Of the stage.
        rng: Draws descriptors for the clusters, and patches.

    Returns:
        Patches (n, size, size), 1 is ink, no two equal, and their labels (n,).

    Raises:
        ValueError: The pages have too few keypoints for so many classes.
    """
    if store.counts.sum() < settings.classes:
        raise ValueError(
            f"{store.counts.sum()} keypoints on {len(store)} training pages are too few for "
            f"{settings.classes} surrogate classes: lower surrogates.classes or describe.contrast "
            "in params.yaml, or add pages"
        )
    classes = find_classes(
        draw(store, settings.sample, rng),
        classes=settings.classes,
        dimensions=settings.dimensions,
        seed=int(rng.integers(2**31)),
    )
    labels = [
        classes.labels(vectors, settings.ratio)
        for vectors in tqdm(store, desc="surrogate classes", unit=" pages", disable=None)
    ]
    clear = [np.flatnonzero(of_page != UNCLEAR) for of_page in labels]
    share = even_share(np.array([len(rows) for rows in clear]), settings.patches)
    patches, kept = [], []
    for number, page in enumerate(store.pages):
        rows = rng.choice(clear[number], share[number], replace=False)
        positions = store.read("positions", number)[rows]
        patches.append(cut_around(read_gray(binary / page.file), positions, settings.size))
        kept.append(labels[number][rows])
    found, of_found = np.concatenate(patches), np.concatenate(kept)
    first = first_of_equals(found)
    if len(first) < settings.classes:
        raise ValueError(
            f"{len(first)} different patches pass the ratio test, fewer than the "
            f"{settings.classes} surrogate classes: lower surrogates.classes or raise "
            "surrogates.ratio or surrogates.patches in params.yaml"
        )
    return found[first], of_found[first]

"""Handcrafted features of all pages of the writer task."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dgmp.encoding.handcrafted import FEATURES
from dgmp.images.negatives import turn_positive
from dgmp.images.reading import read_gray
from pipeline.shared.page_lists import read_pages
from pipeline.shared.parallel import in_parallel
from pipeline.shared.settings.data import Binarize
from pipeline.shared.settings.params import Params
from pipeline.shared.settings.systems import PageSystem


def page_features(params: Params, system: PageSystem) -> NDArray[np.float32]:
    """A feature of all pages of `input`, (pages, D); a row of zeros for too little ink."""
    source, feature = params.data / system.input, system.feature
    binary = read_pages(source / "pages.csv")
    grey = read_pages(params.data / "acquire" / "writers.csv")
    jobs = [
        (source / one.file, params.data / "acquire" / other.file)
        for one, other in zip(binary, grey, strict=True)
    ]
    work = partial(_of_page, feature, params.active.binarize)
    rows = in_parallel(work, jobs, workers=params.active.workers, title=feature)
    return np.stack(list(rows))


def _of_page(feature: str, settings: Binarize, job: tuple[Path, Path]) -> NDArray[np.float32]:
    """A feature by what it looks at: the binary page, the grey one at its size, or both."""
    entry = FEATURES[feature]
    pages = {"binary": read_gray(job[0])}
    if "grey" in entry.needs:
        grey, _ = turn_positive(read_gray(job[1]), settings.negative)
        size = pages["binary"].shape[::-1]
        pages["grey"] = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return entry.function(*(pages[need] for need in entry.needs))

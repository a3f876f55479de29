"""Packing what training reads: patches (writers) and grey pages (script tasks)."""

import logging
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dgmp.images.negatives import turn_positive
from dgmp.images.pages import limit_side, write_pages
from dgmp.images.patches import PagePatches, PatchWriter, select_patches
from dgmp.images.reading import is_binary, read_gray
from pipeline.shared.page_lists import SPLITS, Page
from pipeline.shared.parallel import in_parallel
from pipeline.shared.settings.data import Patches
from pipeline.shared.settings.training import Scripts

log = logging.getLogger(__name__)


@dataclass
class Counts:
    """What became of a split's pages; `padded` and `below_threshold` count fallback pages."""

    pages: int = 0
    patches: int = 0
    padded: int = 0
    below_threshold: int = 0
    ink: int = 0

    def add(self, page: PagePatches) -> None:
        self.pages += 1
        self.patches += len(page.bits)
        self.padded += page.padded
        self.below_threshold += page.below_threshold
        self.ink += int(np.bitwise_count(page.bits).sum())


class _CutJob(NamedTuple):
    file: Path
    split: str
    settings: Patches


class _ShrinkJob(NamedTuple):
    file: Path
    side: int
    negative: str


def cut_pages(
    source: Path, pages: Sequence[Page], folder: Path, settings: Patches, *, workers: int
) -> dict[str, Counts]:
    """Write the packed file and index of each split to `folder`, pages in the order given.

    Args:
        source: what the files of the pages are relative to.
        pages: binary pages of all splits.
        folder: where <split>.npy and <split>.csv go.
        settings: how patches are cut.
        workers: processes that cut pages.
    """
    counts = {split: Counts() for split in SPLITS}
    if settings.train_on_validation:
        pages = [*pages, *(page._replace(split="train") for page in pages if page.split == "val")]
    jobs = [_CutJob(source / page.file, page.split, settings) for page in pages]
    with ExitStack() as stack:
        writers = {
            split: stack.enter_context(
                PatchWriter(folder / f"{split}.npy", folder / f"{split}.csv", settings.size)
            )
            for split in SPLITS
        }
        cut = in_parallel(_cut_page, jobs, workers=workers, title="patches")
        for page, found in zip(pages, cut, strict=True):
            writers[page.split].add(page.file, page.label, found)
            counts[page.split].add(found)
    return counts


def summarize(counts: dict[str, Counts], size: int) -> dict[str, object]:
    """Counts of each split, and mean and deviation of the training pixels (ink 0, paper 1)."""
    train = counts["train"]
    tones = np.zeros(256, np.int64)
    tones[[0, 255]] = train.ink, train.patches * size**2 - train.ink
    mean, deviation = _mean_and_deviation(tones)
    splits = {
        split: {
            "pages": of_split.pages,
            "patches": of_split.patches,
            "fallbacks": {
                "padded": of_split.padded,
                "below_threshold": of_split.below_threshold,
            },
        }
        for split, of_split in counts.items()
    }
    return {"size": size, "mean": mean, "sd": deviation, **splits}


def longest_useful_side(schedule: Scripts) -> int:
    """Shorter side in pixels at which the smallest random view still is not enlarged."""
    return math.ceil(schedule.crop / math.sqrt(schedule.augmentation.scale_min))


def pack_pages(
    source: Path, pages: Sequence[Page], folder: Path, *, side: int, negative: str, workers: int
) -> dict[str, object]:
    """Write the grey pages of each split to `folder`, their shorter side at most `side` pixels.

    `negative` tells which are turned from light ink on dark, see `turn_positive`.

    Returns:
        Counts of pages, and mean and deviation of the training pixels in [0, 1].
    """
    pages = sorted(pages, key=lambda page: SPLITS.index(page.split))
    jobs = [_ShrinkJob(source / page.file, side, negative) for page in pages]
    title = f"patches {folder.name}"
    shrunk = zip(pages, in_parallel(_shrink_page, jobs, workers=workers, title=title), strict=True)
    tones = np.zeros(256, np.int64)
    negatives = 0
    sizes = Counter(page.split for page in pages)

    def of_split(split: str) -> Iterator[tuple[str, str, np.ndarray]]:
        nonlocal tones, negatives
        for _ in range(sizes[split]):
            page, (image, turned) = next(shrunk)
            negatives += turned
            if split == "train":
                tones += np.bincount(image.ravel(), minlength=256)
            yield page.file, page.label, image

    for split in SPLITS:
        write_pages(folder / f"{split}.raw", folder / f"{split}.csv", of_split(split))
    if negatives:
        log.info("%s: %d negatives turned positive", title, negatives)
    mean, deviation = _mean_and_deviation(tones)
    counts = {split: {"pages": sizes[split]} for split in SPLITS}
    return {"side": side, "mean": mean, "sd": deviation, **counts}


def _mean_and_deviation(tones: np.ndarray) -> tuple[float | None, float | None]:
    """Of a histogram int (256,), in units of 255."""
    count = int(tones.sum())
    if not count:
        return None, None
    values = np.arange(256) / 255
    mean = float(values @ tones) / count
    return mean, math.sqrt(float((values - mean) ** 2 @ tones) / count)


def _shrink_page(job: _ShrinkJob) -> tuple[np.ndarray, bool]:
    page, turned = turn_positive(read_gray(job.file), job.negative)
    return limit_side(page, job.side), turned


def _cut_page(job: _CutJob) -> PagePatches:
    page = read_gray(job.file)
    if not is_binary(page):
        raise ValueError(f"{job.file} is not binary: run the stage binarize again")
    settings = job.settings
    training = job.split == "train"
    try:
        return select_patches(
            page,
            size=settings.size,
            stride=settings.stride if training else settings.test_stride or settings.stride,
            sigma=settings.sigma,
            threshold=settings.threshold,
            margin_right=settings.margin_right if training else 0,
            end=settings.end,
        )
    except ValueError as error:
        raise ValueError(f"{job.file}: {error}: run the stage binarize again") from None

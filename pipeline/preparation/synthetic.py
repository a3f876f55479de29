"""Pages for acquire from the synthetic scribes: who writes what, in streams of their own."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from dgmp.scribes import SCRIPT_TYPES, Variation, draw_scribe, write_page
from pipeline.shared.page_lists import Page
from pipeline.shared.parallel import in_parallel
from pipeline.shared.settings.base import Task
from pipeline.shared.settings.data import AcquireScribes, PageShape, ScribePages, ScriptPages

# Pages of each class of CLaMM17 in the authors' label lists (clamm/labelfiles of
# github.com/VChristlein/dgmp), given to the script types in alphabetical order: training and
# validation together, and test.
CLAMM17_TRAIN = (356, 395, 200, 207, 217, 341, 411, 265, 293, 202, 442, 211)
CLAMM17_TEST = (301, 349, 79, 73, 59, 231, 250, 161, 57, 42, 358, 40)

# What a random stream is for, as a part of its seed
SPLIT, SCRIBE, PAGE = range(3)


class Assignment(NamedTuple):
    """The pages that one scribe of a script type writes."""

    script_type: str
    pages: tuple[Page, ...]


class _Job(NamedTuple):
    assignment: Assignment
    stream: tuple[int, int]
    scribe: int
    shape: PageShape
    variation: Variation
    folder: Path


def write_scribes(
    settings: AcquireScribes, folder: Path, *, tasks: Sequence[Task], workers: int
) -> dict[Task, list[Page]]:
    """Write the synthetic pages of the tasks below `folder` and return their lists.

    Each scribe and each page draws from a stream seeded by task and number, so that it depends
    neither on the number of workers nor on the pages before it.

    Raises:
        ValueError: fewer scribes or pages than a task needs; the message names the key.
    """
    lists: dict[Task, list[Page]] = {}
    jobs = []
    for number, task in enumerate(tasks):
        (folder / "pages" / task).mkdir(parents=True)
        stream = (settings.seed, number)
        shape: ScribePages | ScriptPages = getattr(settings, task)
        if isinstance(shape, ScribePages):
            rng = np.random.default_rng((*stream, SPLIT))
            plan = assign_writers(shape, settings.validation_fraction, rng)
        else:
            plan = assign_scripts(shape, task)
        lists[task] = [page for assignment in plan for page in assignment.pages]
        variation = Variation(**shape.variation.model_dump())
        jobs += [
            _Job(assignment, stream, scribe, shape, variation, folder)
            for scribe, assignment in enumerate(plan)
        ]
    for _ in in_parallel(_write_pages, jobs, workers=workers, title="acquire", unit="scribes"):
        pass
    return lists


def assign_writers(
    settings: ScribePages, validation_fraction: float, rng: np.random.Generator
) -> list[Assignment]:
    """Plan the writer task: scribes take the script types in turn and are train, val or test.

    Validation scribes are drawn from the training scribes, of as many types as possible.

    Raises:
        ValueError: too few training scribes for two to validate and two to train.
    """
    train, types = settings.train_scribes, sorted(SCRIPT_TYPES)
    validation = max(2, round(validation_fraction * train))
    if train - validation < 2:
        raise ValueError(
            f"acquire.writers.train_scribes: of {train}, validation takes {validation}, which "
            "leaves fewer than two to train: raise it or lower acquire.validation_fraction"
        )
    turns = []
    of_type: Counter[int] = Counter()
    for scribe in rng.permutation(train).tolist():
        turns.append((of_type[scribe % len(types)], scribe))
        of_type[scribe % len(types)] += 1
    turns.sort(key=lambda turn: turn[0])
    held_out = {scribe for _, scribe in turns[:validation]}
    plan = []
    for scribe in range(train + settings.test_scribes):
        split = "val" if scribe in held_out else "train" if scribe < train else "test"
        count = settings.train_pages if scribe < train else settings.test_pages
        name = f"s{scribe + 1:04d}"
        files = [f"pages/writers/{name}-{page + 1}.png" for page in range(count)]
        pages = tuple(Page(file, name, split) for file in files)
        plan.append(Assignment(types[scribe % len(types)], pages))
    return plan


def assign_scripts(settings: ScriptPages, task: Task) -> list[Assignment]:
    """Plan a script task: every page by a scribe of its own, the script type being its label.

    Raises:
        ValueError: a split has fewer pages than there are script types.
    """
    types = sorted(SCRIPT_TYPES)
    equal = (1,) * len(types)
    plan: list[Assignment] = []
    for key, split, proportions in (
        ("train", "train", CLAMM17_TRAIN),
        ("validation", "val", CLAMM17_TRAIN),
        ("test", "test", CLAMM17_TEST),
    ):
        total: int = getattr(settings, key)
        if total < len(types):
            raise ValueError(
                f"acquire.{task}.{key}: {total} pages are fewer than the {len(types)} script "
                "types: raise it"
            )
        for script_type, count in zip(
            types, apportion(total, equal if settings.balanced else proportions), strict=True
        ):
            for _ in range(count):
                file = f"pages/{task}/{len(plan) + 1:04d}.png"
                plan.append(Assignment(script_type, (Page(file, script_type, split),)))
    return plan


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Divide `total` in proportion to the weights by largest remainders, at least 1 each.

    >>> apportion(10, (6, 3, 1)), apportion(5, (90, 5, 5))
    ([6, 3, 1], [3, 1, 1])
    """
    quotas = np.array(weights) * (total / sum(weights))
    shares = np.maximum(1, np.floor(quotas).astype(int))
    while shares.sum() != total:
        missing = 1 if shares.sum() < total else -1
        # A share of 1 is never lowered.
        open_to_change = (shares > 1) | (missing > 0)
        gain = np.where(open_to_change, missing * (quotas - shares), -np.inf)
        shares[np.argmax(gain)] += missing
    counts: list[int] = shares.tolist()
    return counts


def _write_pages(job: _Job) -> None:
    rng = np.random.default_rng((*job.stream, SCRIBE, job.scribe))
    scribe = draw_scribe(job.assignment.script_type, rng, job.variation)
    for number, page in enumerate(job.assignment.pages):
        image = write_page(
            scribe,
            np.random.default_rng((*job.stream, PAGE, job.scribe, number)),
            height=job.shape.height,
            width=job.shape.width,
            line_pitch=job.shape.line_pitch,
            variation=job.variation,
        )
        file = job.folder / page.file
        # Level 1 is written four times as fast as the default and a tenth larger.
        if not cv2.imwrite(str(file), image, [cv2.IMWRITE_PNG_COMPRESSION, 1]):
            raise OSError(f"{file} cannot be written: is the disk full?")

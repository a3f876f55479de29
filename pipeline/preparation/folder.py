"""Pages for acquire from a folder of images with labels csv files."""

import logging
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from dgmp.images.reading import read_gray, split_number
from pipeline.preparation.label_csv import PageFinder, page_path, read_table
from pipeline.shared.page_lists import SPLITS, Page
from pipeline.shared.parallel import in_parallel
from pipeline.shared.settings.base import Task
from pipeline.shared.settings.data import AcquireFolder, Labels

log = logging.getLogger(__name__)

COLUMNS = ("file", "label", "split")


class Row(NamedTuple):
    """A row of a labels csv; `file` is relative to the folder, `group` stays on one side."""

    file: str
    label: str
    split: str
    group: str

    @property
    def page(self) -> Page:
        """The page as stages read it; one that is named as its own group has none."""
        group = "" if self.group == self.file else self.group
        return Page(f"pages/{self.file}", self.label, self.split, group)


def take_from_folder(
    settings: AcquireFolder, target: Path, *, tasks: Sequence[Task], key: str, workers: int
) -> dict[Task, list[Page]]:
    """Check the labels of all tasks and copy their pages to `target`/pages, each page once.

    Args:
        settings: the folder and a labels csv for each task; a task without one stays empty.
        target: where the copies go.
        tasks: the tasks.
        key: name of the settings in messages.
        workers: processes that open and copy the pages.

    Raises:
        ValueError: the folder, a csv or a page is missing or wrong; the message names it.
    """
    folder = Path(settings.folder)
    if not folder.is_dir():
        raise ValueError(
            f"{folder} is missing: put page images and a labels.csv with the columns file,label,"
            f"split (train, val or test) there, or set {key}.folder to where they are; "
            f"{key}.<task>.labels names the csv of each task, null for a task without pages"
        )
    lists: dict[Task, list[Row]] = {}
    for number, task in enumerate(tasks):
        labels: Labels = getattr(settings, task)
        lists[task] = []
        if labels.labels is None:
            log.info("acquire %s: no pages, %s.%s.labels is null", task, key, task)
            continue
        csv_file = folder / labels.labels
        rows = read_labels(csv_file, folder, labels.group, key=f"{key}.{task}")
        rng = np.random.default_rng((settings.seed, number))
        fraction = settings.validation_fraction
        lists[task] = with_validation(csv_file, rows, fraction, rng, writers=task == "writers")
    files = sorted({row.file for rows in lists.values() for row in rows})
    jobs = [_Copy(folder / file, target / "pages" / file) for file in files]
    for job in jobs:
        job.target.parent.mkdir(parents=True, exist_ok=True)
    for _ in in_parallel(_check_and_copy, jobs, workers=workers, title="acquire"):
        pass
    return {task: [row.page for row in rows] for task, rows in lists.items()}


def read_labels(csv_file: Path, folder: Path, group: str | None, *, key: str) -> list[Row]:
    """Read a labels csv, whose `file` column is relative to its own folder.

    Raises:
        ValueError: the csv is missing, lacks a column or has no rows; a row has an unknown split,
            no label, or a page that is missing, listed twice or outside `folder`.
    """
    if not csv_file.is_file():
        raise ValueError(
            f"{csv_file} is missing: write it with the columns {','.join(COLUMNS)}, or correct "
            f"{key}.labels (null for no such task)"
        )
    table = read_table(csv_file, COLUMNS, group)
    if group and group not in table[0][1]:
        log.info("%s has no column %s: its pages are taken to be unrelated", csv_file, group)
        group = None
    rows, problems = [], defaultdict(list)
    finder = PageFinder(folder)
    taken: dict[Path, set[int | None]] = defaultdict(set)
    for line, cells in table:
        name, label, split = (cells[column] for column in COLUMNS)
        name = page_path(name, csv_file.parent)
        file = os.path.relpath(csv_file.parent / name, folder)
        # Lexically, so that a folder of links to pages elsewhere is allowed.
        outside = os.path.isabs(name) or file.split(os.sep)[0] == os.pardir
        found = [] if outside or not name else finder.find(file)
        if outside:
            problems[f"outside {folder}; move the pages below it"].append(name)
        elif not name or not label or (group and not cells[group]):
            problems["with an empty cell; fill it or remove the row"].append(f"line {line}")
        elif split not in SPLITS:
            problems["with an unknown split; allowed: train, val, test"].append(f"{name}: {split}")
        elif not found:
            problems["naming a missing page; put it there or remove the row"].append(name)
        elif len(found) > 1:
            several = f"{name}: {' or '.join(found)}"
            problems["that could mean several pages; spell the name as it is"].append(several)
        elif not _is_new(folder / found[0], taken):
            problems["listing a page twice; keep one"].append(name)
        else:
            rows.append(Row(found[0], label, split, cells[group] if group else found[0]))
    for problem, names in problems.items():
        raise ValueError(f"{csv_file}: {len(names)} rows {problem}: {_first_five(names)}")
    return rows


def check_splits(csv_file: Path, rows: Sequence[Row], *, writers: bool) -> None:
    """Check that the splits are fit to train and to measure on.

    Raises:
        ValueError: train or test is empty; a group lies in several splits; a writer does, or no
            writer has two test pages; training has one label, or lacks one of the others.
    """
    labels = {split: {row.label for row in rows if row.split == split} for split in SPLITS}
    for split in ("train", "test"):
        if not labels[split]:
            raise ValueError(f"{csv_file}: no row has split {split}: train and test need pages")
    if len(labels["train"]) < 2:
        raise ValueError(f"{csv_file}: the train rows have one label only, at least two are needed")
    _check_one_side(csv_file, "group", ((row.group, row.split) for row in rows))
    if not writers:
        unseen = sorted((labels["test"] | labels["val"]) - labels["train"])
        if unseen:
            raise ValueError(
                f"{csv_file}: {len(unseen)} labels have val or test pages but none to train on: "
                f"{_first_five(unseen)}: give them train rows or remove them"
            )
        return
    _check_one_side(csv_file, "label (writer)", ((row.label, row.split) for row in rows))
    for split in ("val", "test"):
        pages = Counter(row.label for row in rows if row.split == split)
        single = sorted(label for label, count in pages.items() if count == 1)
        if pages and len(single) == len(pages):
            raise ValueError(
                f"{csv_file}: no {split} writer has two pages, so that nothing can be found: "
                "add pages"
            )
    if single:
        log.warning(
            "%s: %d test writers have one page only, which is no query: %s",
            csv_file,
            len(single),
            _first_five(single),
        )


def with_validation(
    csv_file: Path, rows: Sequence[Row], fraction: float, rng: np.random.Generator, *, writers: bool
) -> list[Row]:
    """Check the splits, and where no row has split val give it a fraction of training.

    Raises:
        ValueError: the splits are not fit to train and to measure on.
    """
    check_splits(csv_file, rows, writers=writers)
    if any(row.split == "val" for row in rows):
        return list(rows)
    hold_out = hold_out_writers if writers else hold_out_pages
    return hold_out(csv_file, rows, fraction, rng)


def hold_out_writers(
    csv_file: Path, rows: Sequence[Row], fraction: float, rng: np.random.Generator
) -> list[Row]:
    """Make a fraction of the training writers, at least two, the validation writers.

    Only writers of two and more pages are taken, since one page alone finds nothing.

    Raises:
        ValueError: too few training writers.
    """
    pages = Counter(row.label for row in rows if row.split == "train")
    eligible = sorted(label for label, count in pages.items() if count > 1)
    count = max(2, round(fraction * len(pages)))
    if len(eligible) < count or len(pages) - count < 2:
        raise ValueError(
            f"{csv_file}: {len(pages)} training writers, {len(eligible)} of them with two pages "
            f"or more, are too few to hold out {count} for validation and train on two: add "
            "writers, or mark rows of at least one writer as val"
        )
    held_out = set(rng.permutation(eligible)[:count].tolist())
    return [row._replace(split="val") if row.label in held_out else row for row in rows]


def hold_out_pages(
    csv_file: Path, rows: Sequence[Row], fraction: float, rng: np.random.Generator
) -> list[Row]:
    """Make a fraction of each label's training pages validation pages, whole groups at a time.

    Every label of two groups and more gives at least one group and keeps at least one, the rare
    labels choosing first.

    Raises:
        ValueError: every label has a single group, so that nothing can be held out.
    """
    train = [row for row in rows if row.split == "train"]
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for row in train:
        groups[row.group][row.label] += 1
    pages = Counter(row.label for row in train)
    order = rng.permutation(sorted(groups)).tolist()
    held_out: set[str] = set()
    for label in sorted(pages, key=lambda label: (pages[label], label)):
        wanted = max(1, round(fraction * pages[label]))
        for group in [group for group in order if groups[group][label]]:
            held = sum(groups[other][label] for other in held_out)
            fits = held == 0 or held + groups[group][label] <= wanted
            if held < wanted and fits and _labels_keep_a_group(groups, held_out | {group}):
                held_out.add(group)
    if not held_out:
        raise ValueError(
            f"{csv_file}: every label has one page or group only, so that none can be held out "
            "for validation: add pages, or mark some rows as val"
        )
    return [
        row._replace(split="val") if row.split == "train" and row.group in held_out else row
        for row in rows
    ]


def _labels_keep_a_group(groups: dict[str, Counter[str]], held_out: set[str]) -> bool:
    kept = {label for group in groups.keys() - held_out for label in groups[group]}
    return kept == {label for labels in groups.values() for label in labels}


def _is_new(page: Path, taken: dict[Path, set[int | None]]) -> bool:
    """Add a page to those taken; a file as a whole is the same as each of its pages."""
    file, number = split_number(page)
    numbers = taken[file]
    new = not numbers or (number not in numbers and None not in numbers | {number})
    numbers.add(number)
    return new


class _Copy(NamedTuple):
    source: Path
    target: Path


def _check_and_copy(job: _Copy) -> None:
    page = read_gray(job.source)
    if job.source.is_file():
        # A copy and no link: DVC makes its files read-only, and the user's scans are not its own.
        shutil.copyfile(job.source, job.target)
    else:
        # One page of several; the name keeps its number, readers go by the content.
        job.target.write_bytes(cv2.imencode(".png", page)[1].tobytes())


def _check_one_side(csv_file: Path, what: str, sides: Iterable[tuple[str, str]]) -> None:
    splits = defaultdict(set)
    for name, split in sides:
        splits[name].add(split)
    straddling = sorted(name for name, found in splits.items() if len(found) > 1)
    if straddling:
        raise ValueError(
            f"{csv_file}: {len(straddling)} times one {what} is in several splits: "
            f"{_first_five(straddling)}: give all its rows the same split"
        )


def _first_five(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")

"""Stage acquire: pages and labels, generated, from a folder, rebuilt, or published."""

import logging
from collections import Counter
from typing import get_args

from dgmp.files import whole_folder
from pipeline.benchmark.take import take_benchmark
from pipeline.preparation.folder import take_from_folder
from pipeline.preparation.synthetic import write_scribes
from pipeline.published.download import downloads_of
from pipeline.published.take import take_published
from pipeline.shared.page_lists import SPLITS, write_pages
from pipeline.shared.settings.base import Task
from pipeline.shared.settings.data import AcquireBenchmark, AcquireFolder, AcquirePublished
from pipeline.shared.settings.params import Params, load_params
from pipeline.shared.stage import run

log = logging.getLogger(__name__)

TASKS: tuple[Task, ...] = get_args(Task)


def main() -> None:
    stage(load_params())


def stage(params: Params) -> None:
    """Write data/<profile>/acquire: the pages, and a list of pages for each task.

    Raises:
        ValueError: the settings, the folder of pages, the benchmark or the downloads do not make up
            the tasks;
            the message names the key or file and the remedy.
    """
    settings, workers = params.active.acquire, params.active.workers
    key = f"profiles.{params.profile}.acquire"
    with whole_folder(params.data / "acquire") as folder:
        if isinstance(settings, AcquireFolder):
            lists = take_from_folder(settings, folder, tasks=TASKS, key=key, workers=workers)
        elif isinstance(settings, AcquireBenchmark):
            lists = take_benchmark(settings, folder, params, tasks=TASKS, key=key)
        elif isinstance(settings, AcquirePublished):
            lists = take_published(settings, folder, downloads_of(params), tasks=TASKS, key=key)
        else:
            lists = write_scribes(settings, folder, tasks=TASKS, workers=workers)
        for task in TASKS:
            write_pages(folder / f"{task}.csv", lists[task])
            pages = Counter(page.split for page in lists[task])
            labels = len({page.label for page in lists[task]})
            sizes = ", ".join(f"{pages[split]} {split}" for split in SPLITS)
            log.info("acquire %s: %s pages of %d labels", task, sizes, labels)


if __name__ == "__main__":
    run(main)

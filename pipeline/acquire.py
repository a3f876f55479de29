"""Stage acquire: the pages and labels of the three tasks, generated or taken from a folder."""

import logging
from collections import Counter
from typing import get_args

from pipeline.command import run
from pipeline.folder import take_from_folder
from pipeline.pages import SPLITS, fresh_folder, write_pages
from pipeline.params import AcquireFolder, Params, Task, load_params
from pipeline.synthetic import write_scribes

log = logging.getLogger(__name__)

TASKS: tuple[Task, ...] = get_args(Task)


def main() -> None:
    stage(load_params())


def stage(params: Params) -> None:
    """Write data/<profile>/acquire: the pages, and a list of pages for each task.

    Raises:
        ValueError: the settings or the folder of pages do not make up the tasks; the message
            names the key or file and the remedy.
    """
    settings, workers = params.active.acquire, params.active.workers
    with fresh_folder(params.data / "acquire") as folder:
        if isinstance(settings, AcquireFolder):
            key = f"profiles.{params.profile}.acquire"
            lists = take_from_folder(settings, folder, tasks=TASKS, key=key, workers=workers)
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

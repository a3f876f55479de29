"""Stage patches: what training reads, packed: patches (writers) and grey pages (script tasks)."""

import json
import logging
from collections import Counter
from pathlib import Path

from dgmp.files import whole_folder
from pipeline.preparation.packing import cut_pages, longest_useful_side, pack_pages, summarize
from pipeline.shared.page_lists import SPLITS, read_pages
from pipeline.shared.settings.base import SCRIPT_TASKS
from pipeline.shared.settings.params import Params, load_params
from pipeline.shared.stage import run

log = logging.getLogger(__name__)


def main() -> None:
    stage(load_params())


def stage(params: Params) -> None:
    """Write data/<profile>/patches: a folder for each task with a packed file for each split.

    Raises:
        ValueError: a page is unreadable, or one to be cut is not binary or without ink; the
            message names it.
    """
    workers = params.active.workers
    with whole_folder(params.data / "patches") as folder:
        source = params.data / "binarize"
        pages = read_pages(source / "pages.csv")
        (folder / "writers").mkdir()
        counts = cut_pages(
            source, pages, folder / "writers", params.active.patches, workers=workers
        )
        _write_summary(folder / "writers", summarize(counts, params.active.patches.size))
        for split, of_split in counts.items():
            log.info(
                "patches writers %s: %d patches of %d pages; fallbacks: %d pages padded, "
                "%d pages below the threshold",
                split,
                of_split.patches,
                of_split.pages,
                of_split.padded,
                of_split.below_threshold,
            )
        source = params.data / "acquire"
        for task in SCRIPT_TASKS:
            pages = read_pages(source / f"{task}.csv")
            (folder / task).mkdir()
            side = longest_useful_side(params.active.scripts(task))
            summary = pack_pages(
                source,
                pages,
                folder / task,
                side=side,
                negative=params.active.binarize.negative,
                workers=workers,
            )
            _write_summary(folder / task, summary)
            sizes = Counter(page.split for page in pages)
            log.info("patches %s: %s pages", task, ", ".join(f"{sizes[s]} {s}" for s in SPLITS))


def _write_summary(folder: Path, summary: dict[str, object]) -> None:
    text = json.dumps(summary, indent=2) + "\n"
    (folder / "summary.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main)

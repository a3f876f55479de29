"""Stage describe: local descriptors of all pages.

Reads data/<profile>/binarize/ (writers) and acquire/ (script tasks). Writes to
data/<profile>/describe/<task>/: descriptors.safetensors, packed, pages.csv, and seconds.json.
"""

import json
import logging
import time

from dgmp.files import whole_folder
from pipeline.shared.page_lists import read_pages
from pipeline.shared.parallel import in_parallel
from pipeline.shared.settings.params import load_params
from pipeline.shared.stage import run
from pipeline.systems.local_pages import LocalJob, describe_page
from pipeline.systems.local_store import write_store

log = logging.getLogger(__name__)

PAGE_LISTS = {
    "writers": ("binarize", "pages.csv"),
    "scripts_a": ("acquire", "scripts_a.csv"),
    "scripts_b": ("acquire", "scripts_b.csv"),
}


def main() -> None:
    params = load_params()
    settings, workers = params.active.describe, params.active.workers
    with whole_folder(params.data / "describe") as folder:
        for task, (stage, listed) in PAGE_LISTS.items():
            source = params.data / stage
            pages = read_pages(source / listed)
            (folder / task).mkdir()
            grey = params.active.binarize if stage == "acquire" else None
            jobs = [LocalJob(source / page.file, settings, grey) for page in pages]
            clock = time.perf_counter()
            counts = write_store(
                folder / task,
                pages,
                in_parallel(describe_page, jobs, workers=workers, title=f"describe {task}"),
            )
            seconds = {"seconds": round(time.perf_counter() - clock, 1), "pages": len(pages)}
            (folder / task / "seconds.json").write_text(json.dumps(seconds) + "\n", "utf-8")
            log.info(
                "describe %s: %d local descriptors of %d pages, %d at least",
                task,
                counts.sum(),
                len(pages),
                counts.min(initial=settings.most),
            )


if __name__ == "__main__":
    run(main)

"""Stage binarize: pages of the writer task as ink on background, in 1-bit PNG files."""

import logging
from pathlib import Path
from typing import NamedTuple

from dgmp.files import whole_folder
from dgmp.images.binarization import INK, binarize, shrink
from dgmp.images.negatives import turn_positive
from dgmp.images.reading import read_gray, write_bilevel
from pipeline.shared.page_lists import Page, read_pages, write_pages
from pipeline.shared.parallel import in_parallel
from pipeline.shared.settings.data import Binarize
from pipeline.shared.settings.params import Params, load_params
from pipeline.shared.stage import run

log = logging.getLogger(__name__)


class _Job(NamedTuple):
    source: Path
    target: Path
    settings: Binarize


def main() -> None:
    stage(load_params())


def stage(params: Params) -> None:
    """Binarize the pages of data/<profile>/acquire/writers.csv into data/<profile>/binarize.

    Raises:
        ValueError: a page is unreadable or has no ink; the message names it.
    """
    source = params.data / "acquire"
    settings = params.active.binarize
    pages = read_pages(source / "writers.csv")
    with whole_folder(params.data / "binarize") as folder:
        binary = [page._replace(file=_png_name(page)) for page in pages]
        for page in binary:
            (folder / page.file).parent.mkdir(parents=True, exist_ok=True)
        jobs = [
            _Job(source / page.file, folder / out.file, settings)
            for page, out in zip(pages, binary, strict=True)
        ]
        workers = params.active.workers
        turned = sum(in_parallel(_binarize_page, jobs, workers=workers, title="binarize"))
        write_pages(folder / "pages.csv", binary)
    log.info(
        "binarize: %d pages by %s, %d negatives turned positive",
        len(pages),
        settings.method,
        turned,
    )


def _png_name(page: Page) -> str:
    return page.file if page.file.lower().endswith(".png") else f"{page.file}.png"


def _binarize_page(job: _Job) -> bool:
    """Binarize a page; returns whether it was a negative."""
    settings = job.settings
    gray, turned = turn_positive(read_gray(job.source), settings.negative)
    page = binarize(gray, settings.method, window=settings.window, k=settings.k)
    page = shrink(page, settings.scale)
    if not (page == INK).any():
        raise ValueError(
            f"{job.source}: binarization by {settings.method} finds no ink: change binarize of "
            "the profile in params.yaml, or take the page out of the labels csv if it came by one"
        )
    write_bilevel(job.target, page)
    return turned


if __name__ == "__main__":
    run(main)

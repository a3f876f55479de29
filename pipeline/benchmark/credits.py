"""Where the pages of a picture are from, under which licence, and which pages may be shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.benchmark.listing import (
    BENCHMARK_FILE,
    PAGES,
    Repository,
    load_benchmark,
    read_listed,
)
from pipeline.shared.settings.data import AcquireBenchmark
from pipeline.shared.settings.params import Params


@dataclass(frozen=True)
class Credits:
    """Of the pages of a profile; empty where they are not from the open benchmark.

    Attributes:
        sources: The repository's name and record of each page, by file in the page lists.
    """

    sources: Mapping[str, tuple[str, Repository]]

    def may_show(self, file: str) -> bool:
        """Whether a picture of the page may be passed on: its repository states a licence."""
        return file not in self.sources or self.sources[file][1].licensed

    def of(self, files: Iterable[str]) -> str:
        """The sources of some pages as a sentence; empty if none is known.

        Each repository with its pages, by their names without ending, and its licence.
        """
        shown: dict[str, list[str]] = defaultdict(list)
        for file in dict.fromkeys(files):
            if file in self.sources:
                name, repository = self.sources[file]
                licence = repository.licence.partition(" (")[0]
                shown[f"{name} ({licence})"].append(Path(file).stem)
        return "; ".join(f"{', '.join(pages)}: {source}" for source, pages in shown.items())


def read_credits(params: Params) -> Credits:
    """The credits of the active profile's pages.

    Raises:
        ValueError: data/benchmark.yaml or a csv of pages is missing or wrong.
    """
    if not isinstance(params.active.acquire, AcquireBenchmark):
        return Credits({})
    benchmark = load_benchmark()
    folder = BENCHMARK_FILE.with_suffix("")
    return Credits(
        {
            f"{PAGES}/{page.file}": (page.repository, benchmark.repositories[page.repository])
            for file in sorted({task.pages for task in benchmark.tasks.values()})
            for page in read_listed(folder / file, benchmark, ())
        }
    )

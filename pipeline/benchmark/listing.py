"""data/benchmark.yaml and its csv files: the repositories, the tasks and every page."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dgmp.scans.text_block import TextBlock
from pipeline.published.sources import Catalogue, File, Origin
from pipeline.shared.settings.base import Count, Settings, Task
from pipeline.shared.settings.errors import settings_errors

BENCHMARK_FILE = Path("data/benchmark.yaml")
NO_LICENCE = "none stated"
# The folder of built pages, and of their copies in acquire.
PAGES = "pages"

ObjectId = Annotated[str, Field(pattern="^[0-9a-f]{40}$")]


class Repository(Origin):
    """A public git repository at a commit; `megabytes` is about the size of its archive."""

    commit: ObjectId
    megabytes: Count

    @property
    def licensed(self) -> bool:
        """Whether its pages have a licence."""
        return self.licence != NO_LICENCE


class TaskPages(Settings):
    """The pages of a task: their csv, its column of labels, and that of groups."""

    pages: str
    label: str
    group: str | None


class Benchmark(Settings):
    """The whole of data/benchmark.yaml.

    Attributes:
        archive: Address of a commit as an archive, with {repository} and {commit} in it.
        repositories: By owner and name.
        tasks: What is learned from which pages.
        left_out: Labels (column `label`) whose pages no task takes, with the reason.
    """

    archive: str
    repositories: dict[str, Repository]
    tasks: dict[Task, TaskPages]
    left_out: dict[str, str]

    def archive_name(self, repository: str) -> str:
        """The file name of a repository's archive among the downloads."""
        commit = self.repositories[repository].commit
        return f"{repository.replace('/', '+')}-{commit}.tar.gz"

    def catalogue(self) -> Catalogue:
        """The archives as files to download; their bytes depend on the server's compression."""
        files = {}
        for name, repository in self.repositories.items():
            files[self.archive_name(name)] = File(
                origin=name,
                urls=(self.archive.format(repository=name, commit=repository.commit),),
                bytes=None,
                checksum=None,
                aliases=(f"{name.rpartition('/')[2]}-{repository.commit}.tar.gz",),
            )
        return Catalogue(origins=dict(self.repositories), files=files)


class ListedPage(BaseModel):
    """A row of a csv of pages, with the columns that a page is built from.

    Attributes:
        file: Of the page that is built; a PNG is binary, a JPEG grey.
        repository: One of the benchmark's.
        image: Path of the image in the repository.
        image_blob: Its git object id.
        layout: Path of its PAGE XML or ALTO; empty: the image as a whole is the page.
        layout_blob: Its git object id.
        left: Of the text block, in pixels of the image, as `top`, `right` and `bottom`.
        scale: The factor to one line pitch.
        pixels: SHA-256 of the page's pixels.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    file: Annotated[str, Field(pattern=r"^[^/].*\.(png|jpg)$")]
    split: Literal["train", "val", "test"]
    repository: str
    image: str
    image_blob: ObjectId
    layout: str
    layout_blob: ObjectId | Literal[""]
    left: str
    top: str
    right: str
    bottom: str
    scale: str
    pixels: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

    @property
    def sources(self) -> dict[str, str]:
        """Object ids of the page's files in the repository, by path."""
        layout = {self.layout: self.layout_blob} if self.layout else {}
        return {self.image: self.image_blob} | layout

    @property
    def block(self) -> TextBlock | None:
        """The listed text block; None of an image that is the page as a whole."""
        if not self.layout:
            return None
        left, top, right, bottom = map(int, (self.left, self.top, self.right, self.bottom))
        return TextBlock(left, top, right, bottom, float(self.scale))

    def cell(self, column: str) -> str:
        """A cell of the row, by column."""
        return str(getattr(self, column))


def load_benchmark(file: Path = BENCHMARK_FILE) -> Benchmark:
    """Read and validate data/benchmark.yaml.

    Raises:
        ValueError: one line for each wrong key.
    """
    try:
        return Benchmark.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ValueError(f"{file} is missing: run from the top of the repository") from None
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is not valid YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        lines = [f"{file}: {line}" for line in settings_errors(error, Benchmark)]
        raise ValueError("\n".join(lines)) from None


def read_listed(file: Path, benchmark: Benchmark, columns: Iterable[str]) -> list[ListedPage]:
    """Read a csv of pages.

    Args:
        file: The csv.
        benchmark: Its repositories are those that pages may be from.
        columns: What it must have beside the columns of `ListedPage`.

    Raises:
        ValueError: the csv is missing, lacks a column, or a row is wrong.
    """
    remedy = f"take {file} back from git"
    if not file.is_file():
        raise ValueError(f"{file} is missing: {remedy}")
    with open(file, encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        wanted = [*ListedPage.model_fields, *columns]
        missing = [name for name in wanted if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"{file} has no column {', '.join(missing)}: {remedy}")
        try:
            pages = [ListedPage.model_validate(row) for row in reader]
        except ValidationError as error:
            line = settings_errors(error, ListedPage)[0]
            raise ValueError(f"{file}, line {reader.line_num}: {line}: {remedy}") from None
    unknown = sorted({page.repository for page in pages} - benchmark.repositories.keys())
    if unknown:
        raise ValueError(f"{file}: {unknown[0]} is not one of the repositories: {remedy}")
    twice = [name for name, count in Counter(page.file for page in pages).items() if count > 1]
    if twice:
        raise ValueError(f"{file}: {twice[0]} is listed twice: {remedy}")
    return pages

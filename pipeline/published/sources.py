"""data/sources.yaml: what is downloaded, and data/checksums.yaml: what was found at first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from pipeline.shared.files import write_text
from pipeline.shared.settings.base import Count, Settings, Task
from pipeline.shared.settings.errors import settings_errors

SOURCES_FILE = Path("data/sources.yaml")
CHECKSUMS_FILE = SOURCES_FILE.with_name("checksums.yaml")

Checksum = Annotated[str, Field(pattern="^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$")]
Url = Annotated[str, Field(pattern="^https?://[^/]+/")]


class Origin(Settings):
    """Who published files; `record` is the API address of a Zenodo record."""

    licence: str
    citation: str
    record: Url | None = None


class File(Settings):
    """A file to download; `folder` and `official_list`, a csv in it, belong to archives.

    `aliases` are other names under which a mirror may have it.
    """

    origin: str
    urls: Annotated[tuple[Url, ...], Field(min_length=1)]
    bytes: Count | None
    checksum: Checksum | None
    folder: str | None = None
    official_list: str | None = None
    aliases: tuple[str, ...] = ()


class Part(Settings):
    """A split of a data set: its page list, its archive, and how many pages each label has."""

    split: Literal["train", "val", "test"]
    list: str
    archive: str
    labels: Count
    pages_per_label: Count | tuple[Count, ...]

    @property
    def pages(self) -> int:
        """How many pages the list names."""
        if isinstance(self.pages_per_label, int):
            return self.labels * self.pages_per_label
        return sum(self.pages_per_label)


class DataSet(Settings):
    """A data set: writers, or classes with consecutive ids from `first_class` in its lists."""

    name: str
    parts: tuple[Part, ...]
    classes: tuple[str, ...] | None = None
    first_class: int = 0

    @model_validator(mode="after")
    def counts_belong_to_classes(self) -> DataSet:
        for part in self.parts:
            counts = part.pages_per_label
            if not isinstance(counts, int) and len(counts) != len(self.classes or ()):
                raise ValueError(f"{part.list}: pages_per_label needs a number for each of classes")
        return self


class Catalogue(Settings):
    """Files to download, and who published them."""

    origins: dict[str, Origin]
    files: dict[str, File]

    @model_validator(mode="after")
    def origins_exist(self) -> Self:
        for name, file in self.files.items():
            if file.origin not in self.origins:
                raise ValueError(f"files.{name}.origin: {file.origin!r} is not one of origins")
        return self


class Sources(Catalogue):
    """The whole of data/sources.yaml; `weights` names ImageNet's by backbone."""

    weights: dict[str, str]
    sets: dict[Task, DataSet]

    @model_validator(mode="after")
    def names_exist(self) -> Sources:
        used = [part.list for data in self.sets.values() for part in data.parts]
        for name in [*used, *self.archives, *self.weights.values()]:
            if name not in self.files:
                raise ValueError(f"{name!r} is used, but not one of files")
        for name in self.archives:
            if self.files[name].folder is None:
                raise ValueError(f"files.{name}: an archive needs the name of its top folder")
        return self

    @property
    def archives(self) -> list[str]:
        """The archives of all sets, each once."""
        parts = [part for data in self.sets.values() for part in data.parts]
        return list(dict.fromkeys(part.archive for part in parts))

    @property
    def lists(self) -> list[str]:
        """The page lists of all sets."""
        return [part.list for data in self.sets.values() for part in data.parts]


class Found(Settings):
    """What a file had at its first download; `published` is the checksum that its record told."""

    bytes: Count
    checksum: Checksum
    published: Checksum | None = None
    licence: str | None = None


def load_sources(file: Path = SOURCES_FILE) -> Sources:
    """Read and validate data/sources.yaml.

    Raises:
        ValueError: one line for each wrong key.
    """
    try:
        return Sources.model_validate(_yaml(file))
    except ValidationError as error:
        lines = [f"{file}: {line}" for line in settings_errors(error, Sources)]
        raise ValueError("\n".join(lines)) from None


def read_found(file: Path = CHECKSUMS_FILE) -> dict[str, Found]:
    """Read what was recorded of files without a known checksum, by file name.

    Raises:
        ValueError: the file is not of the form that `record_found` writes.
    """
    if not file.is_file():
        return {}
    try:
        return TypeAdapter(dict[str, Found]).validate_python(_yaml(file) or {})
    except ValidationError as error:
        lines = [f"{file}: {line}" for line in settings_errors(error, Found)]
        raise ValueError("\n".join([*lines, f"take {file} back from git"])) from None


def record_found(name: str, found: Found, file: Path = CHECKSUMS_FILE) -> None:
    """Add a file to data/checksums.yaml, which is replaced whole."""
    entries = read_found(file) | {name: found}
    content = {name: entry.model_dump(exclude_none=True) for name, entry in entries.items()}
    text = "# Of the first download; kept in git, so that everyone has the same files.\n"
    write_text(file, text + yaml.safe_dump(content))


def _yaml(file: Path) -> Any:
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{file} is missing: run from the top of the repository") from None
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is not valid YAML: {' '.join(str(error).split())}") from None

"""params.yaml as validated, frozen settings."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from pipeline.shared.settings.base import Count, NonNegative, Settings, Task
from pipeline.shared.settings.cells import Cell, Compare, Pooling, Tables, Variant
from pipeline.shared.settings.data import (
    AcquireBenchmark,
    AcquireFolder,
    AcquirePublished,
    AcquireScribes,
    Binarize,
    Patches,
)
from pipeline.shared.settings.errors import settings_errors
from pipeline.shared.settings.layers import with_defaults, with_protocol, written_at
from pipeline.shared.settings.search import Search
from pipeline.shared.settings.surrogates import Surrogates
from pipeline.shared.settings.systems import (
    AnySystem,
    Chain,
    Describe,
    Embedded,
    LocalSystem,
    NetworkSystem,
)
from pipeline.shared.settings.training import (
    Backbone,
    Compute,
    Scripts,
    Writers,
)

PARAMS_FILE = Path("params.yaml")


class ParamsError(ValueError):
    """A setting in params.yaml is missing, unknown, of the wrong type or out of range."""


class Titles(Settings):
    writers: str
    scripts_a: str
    scripts_b: str


class Profile(Settings):
    titles: Titles
    acquire: Annotated[
        AcquireScribes | AcquireFolder | AcquirePublished | AcquireBenchmark,
        Field(discriminator="source"),
    ]
    binarize: Binarize
    patches: Patches
    backbone: Backbone
    describe: Describe
    surrogates: Surrogates
    workers: Count
    loading_threads: Count
    checkpoint_seconds: NonNegative
    writers: Writers
    scripts_a: Scripts
    scripts_b: Scripts

    def schedule(self, task: Task) -> Writers | Scripts:
        """The training settings of a task."""
        return self.writers if task == "writers" else self.scripts(task)

    def scripts(self, task: Task) -> Scripts:
        """The training settings of a script task."""
        return self.scripts_a if task == "scripts_a" else self.scripts_b


class Profiles(Settings):
    scribes: Profile
    manuscripts: Profile
    folder: Profile
    paper: Profile


class Protocols(Settings):
    """Settings laid over those of profile paper, over cells and over poolings."""

    paper: dict[str, dict[str, Any]] | None
    authors_code: dict[str, dict[str, Any]] | None = Field(alias="authors-code")


class Params(Settings):
    """The whole of params.yaml; with profile paper, under the chosen protocol."""

    profile: Literal["scribes", "manuscripts", "folder", "paper"]
    protocol: Literal["paper", "authors-code"]
    protocols: Protocols
    mirror: str | None
    pooling: Pooling
    train: Variant
    poolings: dict[str, Pooling]
    cells: dict[str, Cell]
    untrained: dict[str, Cell]
    systems: dict[str, AnySystem]
    chain: Chain
    embedded: dict[str, Embedded]
    baselines: dict[str, str]
    tables: Tables
    sweep: tuple[str, ...]
    compare: Compare
    compute: Compute
    search: Search
    searches: dict[str, dict[str, Any]]
    profiles: Profiles

    @model_validator(mode="after")
    def protocol_goes_with_profile(self) -> Params:
        if self.protocol != "paper" and self.profile != "paper":
            raise ValueError(
                f"protocol: {self.protocol!r} goes with profile paper alone, got profile "
                f"{self.profile!r}: set protocol to paper, and single settings of "
                f"profiles.{self.profile} instead (docs/protocol.md lists them)"
            )
        return self

    @model_validator(mode="after")
    def names_exist(self) -> Params:
        for name in self.cells.keys() & self.untrained.keys():
            raise ValueError(f"untrained.{name}: the name is taken by one of cells")
        for section in ("cells", "untrained"):
            for name, cell in getattr(self, section).items():
                if cell.pooling not in self.poolings:
                    raise ValueError(
                        f"{section}.{name}.pooling: {cell.pooling!r} is not one of poolings: "
                        + ", ".join(self.poolings)
                    )
        for name, pooling in self.poolings.items():
            if pooling.parameter and pooling.multiplier is None:
                raise ValueError(
                    f"poolings.{name}: needs a multiplier of the learning rate of "
                    f"{pooling.parameter}, 1 for none"
                )
        for table, rows in self.tables:
            section, known = (
                ("systems", self.systems) if table == "table4" else ("cells", self.cells)
            )
            for name in rows:
                if name not in known:
                    raise ValueError(
                        f"tables.{table}: {name!r} is not one of {section}; near it are "
                        + ", ".join(get_close_matches(name, known, cutoff=0.3))
                    )
        for section, listed in (("embedded", tuple(self.embedded)), ("sweep", self.sweep)):
            for name in listed:
                if name not in self.cells or self.cells[name].task != "writers":
                    raise ValueError(f"{section}.{name}: is not one of the cells of writers")
        for name, baseline in self.baselines.items():
            for one in (name, baseline):
                if one not in self.systems:
                    names = ", ".join(self.systems)
                    raise ValueError(f"baselines.{name}: {one!r} is not one of systems: {names}")
        return self

    @model_validator(mode="after")
    def searches_are_searches(self) -> Params:
        for name in self.searches:
            try:
                self.searched(name)
            except ValidationError as error:
                lines = settings_errors(error, Search)
                raise ValueError("\n".join(f"searches.{name}.{line}" for line in lines)) from None
        return self

    def searched(self, name: str, **changes: Any) -> Search:
        """The settings of a search, some set anew; a name without an entry has the defaults."""
        laid = self.search.model_dump() | self.searches.get(name, {}) | changes
        return Search.model_validate(laid)

    @property
    def active(self) -> Profile:
        """The settings of the chosen profile."""
        profile: Profile = getattr(self.profiles, self.profile)
        return profile

    def system_seeds(self, name: str) -> tuple[int, ...]:
        """Seeds of a system's runs: of vocabularies, of networks, or 0 where nothing is drawn."""
        system = self.systems[name]
        if isinstance(system, LocalSystem):
            return system.seeds
        return self.active.writers.seeds if isinstance(system, NetworkSystem) else (0,)

    @property
    def data(self) -> Path:
        """Folder of the stages' outputs."""
        return Path("data") / self.profile

    @property
    def reports(self) -> Path:
        """Folder of tables, figures and metrics."""
        return Path("reports") / self.profile


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and validate params.yaml.

    Raises:
        ParamsError: one line for each wrong key, naming it and what is allowed.
    """
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(f"{path} is missing: run from the top of the repository") from None
    except yaml.YAMLError as error:
        raise ParamsError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ParamsError(f"{path} must hold a mapping of settings, got {type(content).__name__}")
    laid = with_defaults(content)
    params = _validated(laid, path, partial(written_at, content=content))
    for protocol in laid["protocols"]:
        chosen = (params.profile, params.protocol) == ("paper", protocol)
        try:
            under = with_protocol(laid, protocol, chosen=chosen)
        except ValueError as error:
            raise ParamsError(f"{path}: {error}") from None
        checked = _validated(under, path, partial(_under_protocol, protocol=protocol))
        if chosen:
            params = checked
    return params


def _under_protocol(line: str, protocol: str) -> str:
    return f"protocols.{protocol}.{line.removeprefix('profiles.paper.')}"


def _validated(content: dict[str, Any], path: Path, place: Callable[[str], str]) -> Params:
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        # A wrong default is one of every profile.
        lines = dict.fromkeys(place(line) for line in settings_errors(error, Params))
        raise ParamsError("\n".join(f"{path}: {line}" for line in lines)) from None

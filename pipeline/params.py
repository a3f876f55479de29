"""params.yaml as validated, frozen settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.complaints import complaints
from pipeline.protocol import overlay, overlay_key

PARAMS_FILE = Path("params.yaml")

Task = Literal["writers", "scripts_a", "scripts_b"]
PoolingName = Literal["avg", "avg_l2", "dgmp", "gem", "lse", "max", "mixed", "sum"]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]


class ParamsError(ValueError):
    """A setting in params.yaml is missing, unknown, of the wrong type or out of range."""


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Pooling(Settings):
    """One pooling layer; `lambda` belongs to dgmp, `alpha` to mixed, `r` to lse, `p` to gem."""

    name: PoolingName
    lambda_: Positive = Field(1000.0, alias="lambda")
    alpha: float = 0.5
    r: Positive = 10.0
    p: Positive = 3.0

    def arguments(self) -> dict[str, float]:
        """Keyword arguments for `dgmp.build_pooling`."""
        return {
            "dgmp": {"lambda_init": self.lambda_},
            "mixed": {"alpha_init": self.alpha},
            "lse": {"r_init": self.r},
            "gem": {"p_init": self.p},
        }.get(self.name, {})


class Cell(Settings):
    """One table cell: a task, a pooling (a key of `poolings`) and, for writers, a margin."""

    task: Task
    pooling: str
    margin: Positive | None = None
    pooling_multiplier: NonNegative = 1.0

    @model_validator(mode="after")
    def margin_belongs_to_writers(self) -> Cell:
        if (self.task == "writers") != (self.margin is not None):
            raise ValueError("margin goes with task writers, and with no other")
        return self


class Variant(Settings):
    """`pooling_multiplier` null: as in the table cells of that kind of pooling."""

    task: Task
    margin: Positive
    seed: Seed
    pooling_multiplier: NonNegative | None


class Compare(Settings):
    """Intervals and tests; a difference with p below 1 - `confidence` is marked in the tables."""

    confidence: Fraction
    resamples: Count
    seed: Seed


class Tables(Settings):
    table1: tuple[str, ...]
    table2: tuple[str, ...]
    table3: tuple[str, ...]


class Variation(Settings):
    scribe: NonNegative
    letter: NonNegative
    script: NonNegative
    wear: NonNegative


class PageShape(Settings):
    """Synthetic pages: pixels, and how much scribes, letters, scripts and wear differ."""

    height: Count
    width: Count
    line_pitch: Positive
    variation: Variation


class ScribePages(PageShape):
    train_scribes: Count
    train_pages: Count
    test_scribes: Count
    test_pages: Count


class ScriptPages(PageShape):
    balanced: bool
    train: Count
    validation: Count
    test: Count


class AcquireScribes(Settings):
    source: Literal["scribes"]
    seed: Seed
    validation_fraction: Fraction
    writers: ScribePages
    scripts_a: ScriptPages
    scripts_b: ScriptPages


class Labels(Settings):
    """A labels.csv below the folder; rows with the same `group` value stay on one side."""

    labels: str | None
    group: str | None = None


class AcquireFolder(Settings):
    source: Literal["folder"]
    folder: str
    seed: Seed
    validation_fraction: Fraction
    writers: Labels
    scripts_a: Labels
    scripts_b: Labels


class AcquirePublished(Settings):
    """The data sets of data/sources.yaml.

    `incomplete`: stop at pages that are missing or unreadable, or leave them out.
    """

    source: Literal["published"]
    seed: Seed
    validation_fraction: Fraction
    incomplete: Literal["stop", "leave-out"]


class Binarize(Settings):
    method: Literal["otsu", "sauvola"]
    window: Count
    k: float
    scale: Annotated[float, Field(gt=0, le=1)]


class Patches(Settings):
    """Pixels of the binarized page; `threshold` is a count of Canny edge pixels in a patch.

    `test_stride` (null: as `stride`) is the step on pages of val and test. `margin_right` is a
    strip of the training pages that no patch reaches into; with `end: exclusive` no patch ends
    flush with the page. `train_on_validation` adds the pages of val to those of train.
    """

    size: Count
    stride: Count
    test_stride: Count | None = None
    margin_right: Annotated[int, Field(ge=0)] = 0
    end: Literal["inclusive", "exclusive"] = "inclusive"
    train_on_validation: bool = False
    sigma: Positive
    threshold: NonNegative


class Backbone(Settings):
    name: Literal["narrow", "resnet50"]
    width: Count


class PretrainScribes(PageShape):
    """`steps` is rounded down to a multiple of 50."""

    source: Literal["scribes"]
    seed: Annotated[int, Field(ge=0)]
    scribes: Annotated[int, Field(ge=2)]
    pages: Count
    last_stride: Literal[1, 2]
    crop: Count
    batch_size: Count
    steps: Annotated[int, Field(ge=0)]
    learning_rate: Positive


class PretrainImageNet(Settings):
    source: Literal["imagenet"]


class Schedule(Settings):
    """Training of a task.

    `decay_start` is the first epoch, from 0, of the exponential decay to 1/1000; without
    `keep_pooling_multiplier` the pooling's learning rate is the backbone's from there on.
    `tested_model` is that of the best validation error or of the last epoch; `last_stride` the
    stride of the backbone's last block.
    """

    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    epochs: Annotated[int, Field(ge=0)]
    decay_start: Annotated[int, Field(ge=0)]
    learning_rate: Positive
    weight_decay: NonNegative
    pooling_weight_decay: NonNegative = 0.0
    keep_pooling_multiplier: bool = True
    tested_model: Literal["best", "final"] = "best"
    evaluation_batch: Count
    last_stride: Literal[1, 2]

    @field_validator("seeds")
    @classmethod
    def seeds_differ(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        """A repeated seed would count as a second run."""
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"each seed once, got {list(seeds)}")
        return seeds


class Writers(Schedule):
    """`validate_every` n: after epochs 1, 1 + n, …; `resize`: side of a patch in the network.

    `distance` ranks pages by their mean descriptors: squared Euclidean, or cosine, which is the
    same as squared Euclidean on means normalised again. See `dgmp.triplet` for `mining` and
    `reduction`; without `normalize` only DGMP's descriptors have unit length.
    """

    steps_per_epoch: Count | None
    writers_per_batch: Annotated[int, Field(ge=2)]
    patches_per_writer: Annotated[int, Field(ge=2)]
    validate_every: Count
    mining: Literal["hardest", "all-positives"] = "hardest"
    reduction: Literal["active", "sum"] = "active"
    distance: Literal["sqeuclidean", "cosine"] = "sqeuclidean"
    resize: Count | None = None
    standardize: bool = True
    normalize: bool = True


class Augmentation(Settings):
    """See `dgmp.images.augmentation.ScriptAugmentation`."""

    scale_min: Fraction
    scale_max: Annotated[float, Field(gt=0, le=1)]
    aspect_min: Positive
    aspect_max: Positive
    rotation: NonNegative
    brightness: NonNegative
    contrast: NonNegative
    rotation_sampling: Literal["linear", "nearest"] = "linear"
    corners: Literal["parchment", "black"] = "parchment"
    jitter: Literal["brightness-first", "shuffled"] = "brightness-first"


class Scripts(Schedule):
    """`mean` and `sd` standardize the pages, in [0, 1]; null: those of the training pages.

    `resampling`: see `dgmp.images.augmentation`. With `validation_drops_last` the pages of a last,
    smaller batch of val are left out, and count as wrong.
    """

    head_multiplier: Positive
    batch_size: Annotated[int, Field(ge=2)]
    crop: Count
    mean: Fraction | None = None
    sd: Positive | None = None
    resampling: Literal["area", "bilinear"] = "area"
    validation_drops_last: bool = False
    augmentation: Augmentation

    @model_validator(mode="after")
    def mean_and_sd_go_together(self) -> Scripts:
        if (self.mean is None) != (self.sd is None):
            raise ValueError("mean and sd are both numbers or both null")
        return self


class Compute(Settings):
    """How training and prediction compute; `compile` is of the backbone."""

    precision: Literal["fp32", "bf16"]
    channels_last: bool
    compile: bool


class Titles(Settings):
    writers: str
    scripts_a: str
    scripts_b: str


class Profile(Settings):
    titles: Titles
    acquire: Annotated[
        AcquireScribes | AcquireFolder | AcquirePublished, Field(discriminator="source")
    ]
    binarize: Binarize
    patches: Patches
    backbone: Backbone
    pretrain: Annotated[PretrainScribes | PretrainImageNet, Field(discriminator="source")]
    workers: Count
    loading_threads: Count
    compute: Compute
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
    paper: Profile


class Overlay(Settings):
    """Settings laid over those of profile paper, over cells and over poolings."""

    titles: dict[str, Any] = {}
    patches: dict[str, Any] = {}
    writers: dict[str, Any] = {}
    scripts_a: dict[str, Any] = {}
    scripts_b: dict[str, Any] = {}
    cells: dict[str, dict[str, Any]] = {}
    poolings: dict[str, dict[str, Any]] = {}


class Protocols(Settings):
    paper: Overlay | None
    authors_code: Overlay | None = Field(alias="authors-code")


class Params(Settings):
    """The whole of params.yaml; with profile paper, under the chosen protocol."""

    profile: Literal["scribes", "manuscripts", "paper"]
    protocol: Literal["paper", "authors-code"]
    protocols: Protocols
    mirror: str | None
    pooling: Pooling
    train: Variant
    poolings: dict[str, Pooling]
    cells: dict[str, Cell]
    untrained: dict[str, Cell]
    tables: Tables
    compare: Compare
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
        for table, rows in self.tables:
            for name in rows:
                if name not in self.cells:
                    raise ValueError(
                        f"tables.{table}: {name!r} is not one of cells: {', '.join(self.cells)}"
                    )
        return self

    @property
    def active(self) -> Profile:
        """The settings of the chosen profile."""
        profile: Profile = getattr(self.profiles, self.profile)
        return profile

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
    params = _validated(content, path)
    for protocol in content["protocols"]:
        chosen = (params.profile, params.protocol) == ("paper", protocol)
        try:
            overlaid = overlay(content, protocol, chosen=chosen)
        except ValueError as error:
            raise ParamsError(f"{path}: {error}") from None
        under = _validated(overlaid, path, partial(overlay_key, protocol=protocol))
        if chosen:
            params = under
    return params


def _validated(content: dict[str, Any], path: Path, rename: Callable[[str], str] = str) -> Params:
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        lines = [f"{path}: {rename(line)}" for line in complaints(error, Params)]
        raise ParamsError("\n".join(lines)) from None

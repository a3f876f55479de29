"""Networks, and how they are trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.shared.settings.base import Count, Fraction, NonNegative, Positive, Seed, Settings
from pipeline.shared.settings.data import PageShape


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
    pooling_weight_decay: NonNegative
    keep_pooling_multiplier: bool
    tested_model: Literal["best", "final"]
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
    same as squared Euclidean on means normalised again. See `dgmp.learning.triplet` for `mining`
    and `reduction`; without `normalize` only DGMP's descriptors have unit length.
    """

    steps_per_epoch: Count | None
    writers_per_batch: Annotated[int, Field(ge=2)]
    patches_per_writer: Annotated[int, Field(ge=2)]
    validate_every: Count
    mining: Literal["hardest", "all-positives"]
    reduction: Literal["active", "sum"]
    distance: Literal["sqeuclidean", "cosine"]
    resize: Count | None
    standardize: bool
    normalize: bool


class Augmentation(Settings):
    """See `dgmp.images.augmentation.ScriptAugmentation`."""

    scale_min: Fraction
    scale_max: Annotated[float, Field(gt=0, le=1)]
    aspect_min: Positive
    aspect_max: Positive
    rotation: NonNegative
    brightness: NonNegative
    contrast: NonNegative
    rotation_sampling: Literal["linear", "nearest"]
    corners: Literal["parchment", "black"]
    jitter: Literal["brightness-first", "shuffled"]


class Scripts(Schedule):
    """`mean` and `sd` standardize the pages, in [0, 1]; null: those of the training pages.

    `resampling`: see `dgmp.images.augmentation`. With `validation_drops_last` the pages of a last,
    smaller batch of val are left out, and count as wrong.
    """

    head_multiplier: Positive
    batch_size: Annotated[int, Field(ge=2)]
    crop: Count
    mean: Fraction | None
    sd: Positive | None
    resampling: Literal["area", "bilinear"]
    validation_drops_last: bool
    augmentation: Augmentation

    @model_validator(mode="after")
    def mean_and_sd_go_together(self) -> Scripts:
        if (self.mean is None) != (self.sd is None):
            raise ValueError("mean and sd are both numbers or both null")
        return self


class Compute(Settings):
    """How training and prediction compute; `compile` applies to the backbone."""

    precision: Literal["fp32", "bf16"]
    channels_last: bool
    compile: bool

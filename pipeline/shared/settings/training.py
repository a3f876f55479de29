"""Networks, and how they are trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.shared.settings.base import Count, Fraction, NonNegative, Positive, Seed, Settings


class Backbone(Settings):
    """`width` is the narrow one's, which starts from random weights; the others from ImageNet's."""

    name: Literal["efficientnet-lite0", "resnet18", "resnet50", "narrow"]
    width: Count


class Schedule(Settings):
    """Training of a task.

    `decay_start` is the first epoch, from 0, of the exponential decay to 1/1000; without
    `keep_pooling_multiplier` the pooling's learning rate is the backbone's from there on.
    `tested_model` is that of the best validation error or of the last epoch; `last_stride` the
    last stride of the backbone. `trainable` is how many of its last blocks are trained, 0 for
    none, null for all of them: the other blocks are a frozen trunk, whose activations the stage
    trunk computes once, and batch statistics are frozen.
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
    trainable: Annotated[int, Field(ge=0)] | None

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
    same as squared Euclidean on means normalised again. See `dgmp.learning.triplet` for
    `loss_distance`, `mining` and `reduction`; without `normalize` only DGMP's descriptors have unit
    length. With `redraw_validation` each seed draws validation writers of its own, as many as val
    has, from those of train and val.
    """

    steps_per_epoch: Count | None
    writers_per_batch: Annotated[int, Field(ge=2)]
    patches_per_writer: Annotated[int, Field(ge=2)]
    validate_every: Count
    mining: Literal["hardest", "all-positives"]
    reduction: Literal["active", "sum"]
    loss_distance: Literal["sqeuclidean", "euclidean"]
    distance: Literal["sqeuclidean", "cosine"]
    resize: Count | None
    standardize: bool
    normalize: bool
    redraw_validation: bool


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
    smaller batch of val are left out, and count as wrong. `views`: random views of a training page
    whose activations a frozen trunk computes; null without one, where each view is drawn anew.
    """

    head_multiplier: Positive
    batch_size: Annotated[int, Field(ge=2)]
    crop: Count
    views: Count | None
    mean: Fraction | None
    sd: Positive | None
    resampling: Literal["area", "bilinear"]
    validation_drops_last: bool
    augmentation: Augmentation

    @model_validator(mode="after")
    def a_trunk_needs_views(self) -> Scripts:
        if self.trainable is not None and self.views is None:
            raise ValueError("views must be a number where trainable is one")
        return self

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

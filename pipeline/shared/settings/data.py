"""Where the pages come from, and what is made of them before training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.shared.settings.base import Count, Fraction, NonNegative, Positive, Seed, Settings


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
    group: str | None


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

    `incomplete`: stop at pages that are missing, unreadable or blank, or leave them out.
    """

    source: Literal["published"]
    seed: Seed
    validation_fraction: Fraction
    incomplete: Literal["stop", "leave-out"]


class AcquireBenchmark(Settings):
    """The open benchmark of data/benchmark.yaml.

    `incomplete`: stop at pages that cannot be built, or leave them out.
    """

    source: Literal["benchmark"]
    seed: Seed
    validation_fraction: Fraction
    incomplete: Literal["stop", "leave-out"]


class Binarize(Settings):
    """`negative`: which pages, of the script tasks as well, are turned from light on dark.

    `auto`: those that `dgmp.images.negatives` finds to be negatives.
    """

    negative: Literal["auto", "always", "never"]
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
    test_stride: Count | None
    margin_right: Annotated[int, Field(ge=0)]
    end: Literal["inclusive", "exclusive"]
    train_on_validation: bool
    sigma: Positive
    threshold: NonNegative

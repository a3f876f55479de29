"""Systems that are no table cells: local descriptors, their encodings, and what follows them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.shared.settings.base import Count, Fraction, NonNegative, Positive, Seed, Settings

Step = Literal["raw", "whitened", "esvm", "reranked"]
STEPS: tuple[Step, ...] = ("raw", "whitened", "esvm", "reranked")
Feature = Literal["hinge", "cohinge", "obif", "srs-lbp", "page-statistics", "background"]


class Describe(Settings):
    """Local descriptors of a page, see `dgmp.encoding.LocalDescriptors`.

    `stroke_width` is the width in pixels to which the pages are scaled; null leaves their scale.
    """

    keypoints: Literal["upright", "oriented", "contour", "dense"]
    contrast: NonNegative
    edge: Positive
    most: Count
    least: Count
    stroke_width: Positive | None


class Encode(Settings):
    """`seeds` are those of the vocabularies: one run of a system for each."""

    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]


class System(Settings):
    """What all systems have.

    `input` is the stage whose output it reads. `table2` is the step at which Table II shows it,
    `cited` the system of data/published.yaml that it is a run of. `baseline` is the system that it
    is compared with. `power` is that of `PowerNorm`; the Exemplar-SVM follows `svm_of`.
    """

    title: str
    input: str
    table2: Step | None = None
    cited: str | None = None
    baseline: str | None = None
    power: Positive
    svm_of: Literal["raw", "whitened"]


class LocalSystem(System):
    """An encoding of local descriptors, see `dgmp.encoding.VLAD`; `scripts` runs it on them too."""

    kind: Literal["local"]
    centres: Annotated[int, Field(ge=2)]
    dimensions: Count | None
    pooling: Literal["sum", "gmp", "democratic"]
    lambda_: Positive = Field(alias="lambda")
    relative: bool
    residuals: Literal["raw", "unit"]
    vocabularies: Count
    sample: Count
    scripts: bool


class PageSystem(System):
    """A handcrafted feature, see `dgmp.encoding.handcrafted`; `raw` is by its own metric."""

    kind: Literal["page"]
    feature: Feature


class NetworkSystem(System):
    """Page descriptors of the trained networks of a cell, those of `input: embed/<cell>`.

    `pooling`: the mean of the pooled patches, or generalized max pooling of all locations of all
    patches of a page.
    """

    kind: Literal["network"]
    pooling: Literal["patch", "page"]


class Embed(Settings):
    """Cells of writers whose networks describe all pages.

    `lambda` is that of the generalized max pooling of a whole page, relative to the energy of its
    activations.
    """

    cells: tuple[str, ...]
    lambda_: Positive = Field(alias="lambda")


AnySystem = Annotated[LocalSystem | PageSystem | NetworkSystem, Field(discriminator="kind")]


class Rerank(Settings):
    """Similarity graph reranking, see `dgmp.encoding.rerank`."""

    k: Count
    layers: Count
    gamma: Positive


class Chain(Settings):
    """What follows a page descriptor, the same for all systems; `script_c`: tried on validation."""

    components: Count
    shrinkage: Annotated[float, Field(ge=0, lt=1)]
    c: Positive
    rerank: Rerank
    script_c: Annotated[tuple[Positive, ...], Field(min_length=1)]


class Surrogates(Settings):
    """Patches at keypoints, and a network that learns their clusters: Cl-S of [3].

    A patch of `size` pixels is kept where the nearest centre of `classes` is nearer than `ratio`
    times the second; `patches` are used for training, evenly by page.
    """

    seed: Seed
    size: Count
    classes: Annotated[int, Field(ge=2)]
    dimensions: Count
    ratio: Annotated[float, Field(gt=0, le=1)]
    patches: Count
    width: Count
    blocks: Count
    epochs: Count
    batch_size: Count
    learning_rate: Positive
    weight_decay: NonNegative
    momentum: Fraction
    per_page: Count

"""Systems that are no table cells: local descriptors, their encodings, and what follows them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.shared.settings.base import Count, NonNegative, Positive, Seed, Settings

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
    stroke_width: Positive | None


class System(Settings):
    """What all systems have.

    `input` is the stage whose output it reads, `power` that of `PowerNorm`; the Exemplar-SVM
    follows `svm_of`.
    """

    input: str
    power: Positive
    svm_of: Literal["raw", "whitened"]


class LocalSystem(System):
    """An encoding of local descriptors, see `dgmp.encoding.VLAD`.

    `seeds` are those of the vocabularies: one run for each. `script_c` are the C of a linear SVM
    that are tried on the validation pages of the script tasks; null leaves these out.
    """

    kind: Literal["local"]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    centres: Annotated[int, Field(ge=2)]
    dimensions: Count | None
    pooling: Literal["sum", "gmp", "democratic"]
    lambda_: Positive = Field(alias="lambda")
    relative: bool
    residuals: Literal["raw", "unit"]
    vocabularies: Count
    sample: Count
    least: Count
    script_c: Annotated[tuple[Positive, ...], Field(min_length=1)] | None


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


AnySystem = Annotated[LocalSystem | PageSystem | NetworkSystem, Field(discriminator="kind")]


class Embedded(Settings):
    """A cell of writers whose networks describe all pages.

    `lambda` is that of the generalized max pooling of a whole page, relative to the energy of its
    activations.
    """

    lambda_: Positive = Field(alias="lambda")


class SystemRow(Settings):
    """How the tables show a system.

    `table2` is the step at which Table II shows it, `cited` the system of data/published.yaml that
    it is a run of.
    """

    title: str
    table2: Step | None = None
    cited: str | None = None


class Rerank(Settings):
    """Similarity graph reranking, see `dgmp.encoding.rerank`."""

    k: Count
    layers: Count
    gamma: Positive


class Chain(Settings):
    """What follows a page descriptor, the same for all systems."""

    components: Count
    shrinkage: Annotated[float, Field(ge=0, lt=1)]
    c: Positive
    rerank: Rerank

"""Local descriptors that a network learns without labels."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.shared.settings.base import Count, Fraction, NonNegative, Positive, Seed, Settings


class Surrogates(Settings):
    """Patches at keypoints, and a network that learns their clusters: Cl-S of [3].

    `sample` local descriptors are clustered, in `dimensions` principal components. A patch of
    `size` pixels is kept where the nearest centre of `classes` is nearer than `ratio` times the
    second; `patches` are used for training, evenly by page. The network has `blocks` residual
    blocks a stage, the first stage `width` channels; it describes `per_page` keypoints of a page.
    """

    seed: Seed
    size: Annotated[int, Field(ge=8, multiple_of=2)]
    sample: Count
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

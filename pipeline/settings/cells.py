"""Poolings, table cells and the variant, and how the cells are compared."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.settings.base import Count, Fraction, NonNegative, Positive, Seed, Settings, Task

PoolingName = Literal["avg", "avg_l2", "dgmp", "gem", "lse", "max", "mixed", "sum"]


class Pooling(Settings):
    """One pooling layer; `lambda` belongs to dgmp, `alpha` to mixed, `r` to lse, `p` to gem."""

    name: PoolingName
    lambda_: Positive = Field(1000.0, alias="lambda")
    alpha: float = 0.5
    r: Positive = 10.0
    p: Positive = 3.0


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

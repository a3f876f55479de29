"""Poolings, table cells and the variant, and how the cells are compared."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.shared.settings.base import (
    Count,
    Fraction,
    NonNegative,
    Positive,
    Seed,
    Settings,
    Task,
)
from pipeline.shared.settings.systems import SystemRow

PoolingName = Literal["avg", "avg_l2", "dgmp", "gem", "lse", "max", "mixed", "sum"]
PARAMETERS: dict[PoolingName, str] = {"dgmp": "lambda", "mixed": "alpha", "lse": "r", "gem": "p"}


class Pooling(Settings):
    """One pooling layer; `lambda` belongs to dgmp, `alpha` to mixed, `r` to lse, `p` to gem.

    `multiplier` scales the learning rate of that parameter (section IV-C). With `relative` lambda
    is in units of the energy of a sample's activations, see `dgmp.DGMP`.
    """

    name: PoolingName
    lambda_: Positive | None = Field(None, alias="lambda")
    alpha: float | None = None
    r: Positive | None = None
    p: Positive | None = None
    multiplier: NonNegative | None = None
    relative: bool = False

    @model_validator(mode="after")
    def relative_belongs_to_lambda(self) -> Pooling:
        if self.relative and self.name != "dgmp":
            raise ValueError("relative goes with name dgmp")
        return self

    @model_validator(mode="after")
    def has_its_parameter(self) -> Pooling:
        if self.parameter is not None and self.value is None:
            raise ValueError(f"name {self.name} goes with a number for {self.parameter}")
        return self

    @property
    def parameter(self) -> str | None:
        """Name of the layer's own parameter in params.yaml; None without one."""
        return PARAMETERS.get(self.name)

    @property
    def value(self) -> float | None:
        """Initial value of the layer's own parameter."""
        return {"lambda": self.lambda_, "alpha": self.alpha, "r": self.r, "p": self.p}.get(
            self.parameter or ""
        )


class Cell(Settings):
    """One table cell: a task, a pooling (a key of `poolings`) and, for writers, a margin."""

    task: Task
    pooling: str
    margin: Positive | None = None

    @model_validator(mode="after")
    def margin_belongs_to_writers(self) -> Cell:
        if (self.task == "writers") != (self.margin is not None):
            raise ValueError("margin goes with task writers, and with no other")
        return self


class Multipliers(Settings):
    """Multipliers of the learning rate of the pooling's own parameter, by the pooling's name."""

    dgmp: NonNegative
    gem: NonNegative
    lse: NonNegative
    mixed: NonNegative


class Variant(Settings):
    """One run beside the tables; only the task writers uses `margin`."""

    task: Task
    margin: Positive
    seed: Seed
    multiplier: Multipliers


class Compare(Settings):
    """Intervals and tests; a difference with p below 1 - `confidence` is marked in the tables."""

    confidence: Fraction
    resamples: Count
    seed: Seed


class Tables(Settings):
    table1: tuple[str, ...]
    table2: tuple[str, ...]
    table3: tuple[str, ...]
    table4: dict[str, SystemRow]

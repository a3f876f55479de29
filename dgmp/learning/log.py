"""The log of a training run: what is known of a step, of an epoch, and of the whole."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Epoch:
    """One row of the log.

    Epochs count from 1, errors are in percent, and `spread` is the mean squared distance of the
    descriptors in a batch (triplet loss only).
    """

    epoch: int
    loss: float
    active_triplets: float | None
    validation_error: float | None
    pooling_parameter: float | None
    learning_rate: float
    spread: float | None = None


@dataclass(frozen=True)
class StepResult:
    """Loss of one batch with, for the triplet loss, its statistics."""

    loss: Tensor
    active: float | None = None
    spread: float | None = None


@dataclass
class Fit:
    """The log of a training run and its best state by validation error.

    `resumed_after` lists the epochs after which the run was taken up again from a checkpoint.
    """

    epochs: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    best_error: float = float("inf")
    best_state: dict[str, Tensor] = field(default_factory=dict)
    resumed_after: list[int] = field(default_factory=list)

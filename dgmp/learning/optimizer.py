"""Adam with a group for each part of the network, and the decay of its learning rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

FINAL_FRACTION = 0.001
"""The decay's last value as a part of the first (Hermans et al. 2017)."""


@dataclass(frozen=True)
class OptimizerSettings:
    """Adam with AMSGrad (section IV-C.1).

    Attributes:
        learning_rate: Of the backbone.
        weight_decay: Of all but the pooling's own parameter.
        pooling_weight_decay: Of the pooling's own parameter.
        pooling_multiplier: Scales the learning rate of the pooling's own parameter.
        head_multiplier: Scales the learning rate of a classifier's last layer.
    """

    learning_rate: float
    weight_decay: float
    pooling_multiplier: float = 1.0
    head_multiplier: float = 1.0
    pooling_weight_decay: float = 0.0


def build_optimizer(model: nn.Module, settings: OptimizerSettings) -> torch.optim.Adam:
    """Adam with AMSGrad and one named group each for backbone, pooling and head."""
    pooling = [p for p in model.get_submodule("pooling").parameters() if p.requires_grad]
    head = list(model.get_submodule("head").parameters()) if hasattr(model, "head") else []
    special = {id(p) for p in [*pooling, *head]}
    backbone = [p for p in model.parameters() if id(p) not in special]
    rate = settings.learning_rate
    groups = [
        {"name": "backbone", "params": backbone, "lr": rate},
        {"name": "head", "params": head, "lr": rate * settings.head_multiplier},
        {
            "name": "pooling",
            "params": pooling,
            "lr": rate * settings.pooling_multiplier,
            "weight_decay": settings.pooling_weight_decay,
        },
    ]
    return torch.optim.Adam(
        [group for group in groups if group["params"]],
        amsgrad=True,
        weight_decay=settings.weight_decay,
    )


def decay_factor(epoch: int, *, epochs: int, decay_start: int) -> float:
    """Factor of the learning rates in an epoch counted from 0 (Hermans et al. 2017, Eq. 11).

    One before `decay_start`, then falling exponentially towards 1/1000.

    Examples:
        >>> decay_factor(3, epochs=10, decay_start=5)
        1.0
        >>> round(decay_factor(9, epochs=10, decay_start=5), 4)
        0.0032
    """
    if epoch < decay_start:
        return 1.0
    return float(FINAL_FRACTION ** ((epoch + 1 - decay_start) / (epochs + 1 - decay_start)))


def learning_rates(
    rates: Sequence[float], epoch: int, *, epochs: int, decay_start: int, keep_multipliers: bool
) -> list[float]:
    """The groups' learning rates in an epoch counted from 0.

    Args:
        rates: Of the groups at the start, the backbone's first.
        epoch: Which, from 0.
        epochs: How many there are.
        decay_start: See `decay_factor`.
        keep_multipliers: Whether each group decays from its own rate; if not, all of them decay
            from the backbone's, as in the authors' code.
    """
    factor = decay_factor(epoch, epochs=epochs, decay_start=decay_start)
    own = keep_multipliers or epoch < decay_start
    return [(rate if own else rates[0]) * factor for rate in rates]

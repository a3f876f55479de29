"""Groups of parameters for an optimizer: the poolings' own, and all others."""

from __future__ import annotations

from typing import Any

from torch import nn

from dgmp.pooling import DGMP
from dgmp.pooling.base import GlobalPooling

OF_ABSOLUTE_LAMBDA = 1000.0
"""Of section IV-C.1, for writers: lambda starts at 1000 there."""


def pooling_parameters(
    model: nn.Module, lr: float, multiplier: float | None = None, weight_decay: float = 0.0
) -> list[dict[str, Any]]:
    """Groups with a learning rate and weight decay of their own for the poolings, section IV-C.1.

    They are the groups that `dgmp.learning.optimizer.build_optimizer` makes of the networks of the
    paper.

    Args:
        model: A network with at least one pooling of this package.
        lr: Learning rate of all other parameters.
        multiplier: Scales the learning rate of the poolings' parameters. By default 1000 for an
            absolute lambda, as in the paper, and 1 for others, which are of the order of 1 to 10:
            relative lambda, p of GeM, r of log-sum-exp, alpha of Mixed.
        weight_decay: Of the poolings' parameters; for the others the optimizer's own value holds.

    Returns:
        The group "backbone", and a group "pooling" for each learning rate of what poolings learn.

    Raises:
        ValueError: there is no pooling in the model.

    Examples:
        >>> import torch
        >>> from dgmp import DGMP
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), DGMP())
        >>> groups = pooling_parameters(model, lr=0.01)
        >>> optimizer = torch.optim.AdamW(groups, weight_decay=0.05)
        >>> [(g["name"], g["lr"], g["weight_decay"]) for g in optimizer.param_groups]
        [('backbone', 0.01, 0.05), ('pooling', 10.0, 0.0)]
    """
    poolings = [module for module in model.modules() if isinstance(module, GlobalPooling)]
    if not poolings:
        raise ValueError(
            f"{type(model).__name__} has no pooling of dgmp; put one in with replace_pooling, or "
            "as a layer"
        )
    special: set[int] = set()
    learned: dict[float, list[nn.Parameter]] = {}
    for pooling in poolings:
        factor = _multiplier_of(pooling) if multiplier is None else multiplier
        for parameter in pooling.parameters():
            if id(parameter) in special:  # one layer at two places
                continue
            special.add(id(parameter))
            if parameter.requires_grad:
                learned.setdefault(lr * factor, []).append(parameter)
    others = [p for p in model.parameters() if id(p) not in special]
    groups: list[dict[str, Any]] = [{"name": "backbone", "params": others, "lr": lr}]
    for rate, own in learned.items():
        groups.append({"name": "pooling", "params": own, "lr": rate, "weight_decay": weight_decay})
    return [group for group in groups if group["params"]]


def _multiplier_of(pooling: GlobalPooling) -> float:
    absolute = isinstance(pooling, DGMP) and not pooling.relative
    return OF_ABSOLUTE_LAMBDA if absolute else 1.0

"""Groups of parameters for an optimizer: the poolings' own, and all others."""

from __future__ import annotations

from typing import Any

from torch import nn

from dgmp.pooling.base import GlobalPooling


def pooling_parameters(
    model: nn.Module, lr: float, multiplier: float = 1000.0, weight_decay: float = 0.0
) -> list[dict[str, Any]]:
    """Groups with a learning rate and weight decay of their own for the poolings, section IV-C.1.

    They are the groups that `dgmp.learning.optimizer.build_optimizer` makes of the networks of the
    paper. The factor 1000 is the paper's for writers, and meant for an absolute lambda near 1000.

    Args:
        model: A network with at least one pooling of this package.
        lr: Learning rate of all other parameters.
        multiplier: Scales the learning rate of the poolings' parameters.
        weight_decay: Of the poolings' parameters; for the others the optimizer's own value holds.

    Returns:
        The group "backbone", and the group "pooling" unless no pooling learns anything.

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
    own = list({id(p): p for pooling in poolings for p in pooling.parameters()}.values())
    learned = [p for p in own if p.requires_grad]
    special = {id(p) for p in own}
    groups: list[dict[str, Any]] = [
        {
            "name": "backbone",
            "params": [p for p in model.parameters() if id(p) not in special],
            "lr": lr,
        },
        {"name": "pooling", "params": learned, "lr": lr * multiplier, "weight_decay": weight_decay},
    ]
    return [group for group in groups if group["params"]]

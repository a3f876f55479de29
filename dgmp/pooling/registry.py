"""The pooling layers by name."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from dgmp.pooling.base import GlobalPooling
from dgmp.pooling.layers import (
    DGMP,
    AveragePooling,
    GeneralizedMeanPooling,
    LogSumExpPooling,
    MaxPooling,
    MixedPooling,
    SumPooling,
)


def average_l2(*, channels_last: bool = False) -> AveragePooling:
    """Average pooling with output of unit l2 norm."""
    return AveragePooling(normalize=True, channels_last=channels_last)


POOLINGS: dict[str, Callable[..., GlobalPooling]] = {
    "avg": AveragePooling,
    "avg_l2": average_l2,
    "dgmp": DGMP,
    "gem": GeneralizedMeanPooling,
    "lse": LogSumExpPooling,
    "max": MaxPooling,
    "mixed": MixedPooling,
    "sum": SumPooling,
}
"""The poolings by name."""


def build_pooling(name: str, **settings: Any) -> GlobalPooling:
    """The pooling layer of that name.

    Args:
        name: One of `POOLINGS`.
        settings: Keyword arguments of the layer.

    Raises:
        ValueError: there is no pooling of that name; the message lists those there are.
        TypeError: the layer has no such setting; the message lists those it has.

    Examples:
        >>> build_pooling("dgmp", lambda_init=5000.0)
        DGMP(lambda=5000, learnable=True, normalize=True)
    """
    if name not in POOLINGS:
        raise ValueError(f"no pooling {name!r}; there are: {', '.join(POOLINGS)}")
    known = list(signature(POOLINGS[name]).parameters)
    unknown = [key for key in settings if key not in known]
    if unknown:
        raise TypeError(
            f"pooling {name!r} has no setting {', '.join(unknown)}; it has: {', '.join(known)}"
        )
    return POOLINGS[name](**settings)

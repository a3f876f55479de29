"""Where a network pools, and what is told when that is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dgmp.integrations.adapters import MapPooling, TokenPooling

# What a module may make of a map (1, 2, 3, 5) or (1, 2, 15), and of (1, 2, 2, 3, 5) if it is for
# videos: channels first, then last.
CHANNELS_FIRST = ((1, 2), (1, 2, 1), (1, 2, 1, 1), (1, 2, 1, 1, 1))
CHANNELS_LAST = ((1, 5), (1, 1, 1, 5))


@dataclass(frozen=True)
class MapPlace:
    """A place where an activation map is pooled.

    Attributes:
        path: Of the module that is to pool.
        replaced: What pools there now.
        channels_last: Whether the map is (B, *spatial, D).
        kept_axes: How many spatial axes, of length 1, what follows takes; 0 for (B, D).
        install: Puts the adapter into the network.
    """

    path: str
    replaced: str
    install: Callable[[nn.Module], None]
    channels_last: bool = False
    kept_axes: int = 0


@dataclass(frozen=True)
class TokenPlace:
    """A place where tokens are pooled.

    Attributes:
        path: Of the module that is to pool.
        replaced: What pools there now.
        prefix_tokens: How many tokens stand before those of the patches.
        followers: The modules that take the pooled descriptor.
        install: Puts the adapter into the network.
    """

    path: str
    replaced: str
    install: Callable[[nn.Module], None]
    prefix_tokens: int
    followers: tuple[nn.Module, ...] = ()


def map_place(model: nn.Module, path: str) -> MapPlace:
    """The place of a module that pools a map, whose layouts are found by a trial.

    Raises:
        ValueError: the module does not pool a map to one vector of as many values as the map has
            channels.
    """
    module = model.get_submodule(path)
    shape = _shape_of_trial(module)
    if shape not in CHANNELS_FIRST + CHANNELS_LAST:
        made = f"{shape} of a map" if shape else "nothing of a map"
        raise ValueError(
            f"{type(model).__name__}.{path} is {module} and makes {made}; a pooling can only "
            "replace one that makes a single vector of as many values as there are channels. Build "
            "the network with average pooling, or put the layer behind its last map"
        )
    return MapPlace(
        path,
        description(module),
        lambda adapter: set_submodule(model, path, adapter),
        channels_last=shape in CHANNELS_LAST,
        kept_axes=len(shape) - 2,
    )


def _shape_of_trial(module: nn.Module) -> tuple[int, ...]:
    """Of what the module makes of a map; () if it takes none."""
    own = next(module.parameters(), torch.zeros(()))
    # Those of videos would take the map of an image for one sample without a batch.
    of_video = isinstance(module, nn.AdaptiveAvgPool3d | nn.AdaptiveMaxPool3d | nn.AvgPool3d)
    for shape in ((1, 2, 2, 3, 5),) if of_video else ((1, 2, 3, 5), (1, 2, 15)):
        trial = torch.ones(shape, dtype=own.dtype, device=own.device)
        try:
            with torch.no_grad():
                pooled: Tensor = module(trial)
        except (RuntimeError, ValueError, TypeError, IndexError):
            continue
        return tuple(pooled.shape)
    return ()


def description(module: nn.Module) -> str:
    """The name of what pools, and how many parameters go with it."""
    pools = module.pooling if isinstance(module, MapPooling | TokenPooling) else module
    lost = sum(p.numel() for p in module.parameters())
    return type(pools).__name__ + (f" (parameters: {lost})" if lost else "")


def submodule(model: nn.Module, path: str) -> nn.Module | None:
    """The module of that path; None where there is none."""
    found: Any = model
    for name in path.split("."):
        found = getattr(found, name, None)
    return found if isinstance(found, nn.Module) else None


def set_submodule(model: nn.Module, path: str, module: nn.Module | None) -> None:
    """Put a module at a path, whose last name need not be there yet."""
    owner, _, name = path.rpartition(".")
    setattr(model.get_submodule(owner), name, module)

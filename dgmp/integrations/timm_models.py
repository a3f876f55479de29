"""Where the networks of timm pool (read at timm 1.0.31)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor, nn

from dgmp.integrations.adapters import MapPooling, TokenPooling
from dgmp.integrations.places import (
    MapPlace,
    TokenPlace,
    description,
    map_place,
    set_submodule,
    submodule,
)
from dgmp.integrations.subclassing import Mixin, inherit

PATHS = ("head.global_pool", "global_pool")
"""Of the module that pools maps; `global_pool` may also be the name of a pooling of tokens."""


def timm_place(model: nn.Module) -> MapPlace | TokenPlace:
    """The place of a network of timm.

    Maps are pooled by a module `global_pool` or `head.global_pool`; tokens by `attn_pool`, which
    is None unless the network was trained with attention pooling.

    Raises:
        ValueError: the network pools in another way.
    """
    path = next((path for path in PATHS if submodule(model, path) is not None), None)
    if path is not None:
        return replace(map_place(model, path), install=partial(_pool_maps, model, path))
    if hasattr(model, "attn_pool") and hasattr(type(model), "pool"):
        if hasattr(model, "head_dist"):
            raise ValueError(
                f"{type(model).__name__} classifies two of its tokens and pools none; use a model "
                "that is not distilled"
            )
        replaced = f"global_pool={model.global_pool!r}"
        if isinstance(model.attn_pool, nn.Module):
            replaced = description(model.attn_pool)
        return TokenPlace(
            "attn_pool",
            replaced,
            partial(_pool_tokens, model),
            prefix_tokens=int(getattr(model, "num_prefix_tokens", 0)),
            followers=tuple(
                module for name in ("fc_norm", "head") if (module := submodule(model, name))
            ),
        )
    raise ValueError(
        f"{type(model).__name__} of timm has no module global_pool, head.global_pool or attn_pool "
        "that could be replaced: call the layer, or dgmp.integrations.TokenPooling, on the result "
        "of its forward_features"
    )


class _PoolsMaps(Mixin):
    """A network whose `reset_classifier` keeps the pooling, unless it is asked for another."""

    def reset_classifier(
        self, num_classes: int, global_pool: str | None = None, **other: Any
    ) -> None:
        """As timm's own; `global_pool` None, or the pooling's own name, keeps the pooling."""
        assert isinstance(self, nn.Module)
        path = next(path for path in PATHS if submodule(self, path) is not None)
        pool = self.get_submodule(path)
        kept = isinstance(pool, MapPooling) and global_pool in (None, pool.pool_type)
        # A classifier for average pooling takes as many values as one for ours.
        own: Any = super()
        own.reset_classifier(num_classes, "avg" if kept else global_pool, **other)
        if kept:
            set_submodule(self, path, pool)


def _pool_maps(model: nn.Module, path: str, adapter: nn.Module) -> None:
    set_submodule(model, path, adapter)
    inherit(model, _PoolsMaps)


class _PoolsTokens(Mixin):
    """A network of tokens that hands all of them to a `TokenPooling`, the prefix too."""

    def pool(self, x: Tensor, pool_type: str | None = None) -> Tensor:
        """As timm's own where the pooling has been reset."""
        own: Any = super()
        adapter = getattr(self, "attn_pool", None)
        pooled: Tensor
        pooled = adapter(x) if isinstance(adapter, TokenPooling) else own.pool(x, pool_type)
        return pooled

    def reset_classifier(
        self, num_classes: int, global_pool: str | None = None, **other: Any
    ) -> None:
        """As timm's own; `global_pool` None, or the pooling's own name, keeps the pooling."""
        own: Any = super()
        adapter = getattr(self, "attn_pool", None)
        if isinstance(adapter, TokenPooling) and global_pool in (None, adapter.pool_type):
            global_pool = None
            if adapter.class_token == "apart" and num_classes:
                raise ValueError(
                    "class_token is 'apart', and timm's classifier takes one vector of each image, "
                    f"not two; num_classes must be 0, got {num_classes}"
                )
        own.reset_classifier(num_classes, global_pool, **other)


def _pool_tokens(model: nn.Module, adapter: nn.Module) -> None:
    model.attn_pool = adapter
    inherit(model, _PoolsTokens)

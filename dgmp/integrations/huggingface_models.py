"""Where the networks of transformers pool (read at transformers 5.24.0)."""

from __future__ import annotations

from functools import partial
from inspect import signature
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

# Networks that pool in forward: a map, whose mean is normalised by `layernorm`; the class token.
MAPS = ("ConvNextModel", "ConvNextV2Model")
TOKENS = ("Dinov2Model", "Dinov2WithRegistersModel", "DINOv3ViTModel")

PREFIXES = ("cls_token", "distillation_token", "register_tokens")
"""Parameters of the embeddings that stand before the patches."""


def huggingface_place(model: nn.Module) -> MapPlace | TokenPlace:
    """The place of a network of transformers, or of the one under its classifier.

    Maps are pooled by a module `pooler`. Where there is none, and for tokens, a hook pools the last
    hidden state, for tokens with the attention mask, and puts the result into `pooler_output`.

    Raises:
        ValueError: the network pools in another way, or its classifier reads the class token.
    """
    base: nn.Module = getattr(model, "base_model", model)
    name = type(base).__name__
    prefix = "" if base is model else f"{model.base_model_prefix}."
    for path in ("pooler.pooler", "pooler"):
        module = submodule(base, path)
        if isinstance(module, MapPooling) or _pools_a_map(module):
            place = map_place(model, prefix + path)
            return place
    if name in MAPS:
        return MapPlace(
            f"{prefix}pooling", "a mean in forward", lambda adapter: _hook(base, adapter)
        )
    pooler = submodule(base, "pooling") or submodule(base, "pooler")
    if base is not model and pooler is None:
        raise ValueError(
            f"{type(model).__name__} classifies tokens that it reads in its own forward; use "
            f"{name}, and a classifier on its pooler_output"
        )
    if name not in TOKENS and not hasattr(base, "pooler"):
        raise ValueError(
            f"{name} has no module pooler, and is none of those known "
            f"({', '.join([*MAPS, *TOKENS])}); call the layer, or "
            "dgmp.integrations.TokenPooling, on its last_hidden_state"
        )
    embeddings = getattr(base, "embeddings", None)
    present = [getattr(embeddings, parameter, None) for parameter in PREFIXES]
    return TokenPlace(
        f"{prefix}pooling",
        description(pooler) if pooler is not None else "the class token",
        lambda adapter: _hook(base, adapter),
        prefix_tokens=sum(p.shape[1] for p in present if isinstance(p, Tensor)),
        followers=() if base is model else tuple(model.children()),
    )


def _pools_a_map(module: nn.Module | None) -> bool:
    return type(module).__module__ == "torch.nn.modules.pooling"


def _hook(base: nn.Module, adapter: nn.Module) -> None:
    """Register the adapter as `pooling`, and what calls it, unless that was done before."""
    if submodule(base, "pooling") is None:
        names = list(signature(base.forward).parameters)
        position = names.index("attention_mask") if "attention_mask" in names else None
        own = not hasattr(base, "pooler")
        base.register_forward_hook(partial(_pool, own, position), with_kwargs=True)
        if not own:
            set_submodule(base, "pooler", None)
    set_submodule(base, "pooling", adapter)


def _pool(
    own: bool,
    position: int | None,
    base: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    output: Any,
) -> Any:
    """The output of a network with `pooler_output` from its last hidden state.

    Args:
        own: Whether the network itself makes a `pooler_output`.
        position: Of the attention mask among the arguments; None without one.
        base: The network.
        args: Its arguments.
        kwargs: Its keyword arguments.
        output: A ModelOutput, or the tuple of its values.
    """
    adapter = base.get_submodule("pooling")
    hidden = output[0]
    if isinstance(adapter, TokenPooling):
        mask = kwargs.get("attention_mask")
        if position is not None and len(args) > position:
            mask = args[position]
        pooled = adapter(hidden, mask)
    else:
        pooled = base.get_submodule("layernorm")(adapter(hidden))
    if isinstance(output, tuple):
        return (hidden, pooled, *output[2 if own else 1 :])
    return type(output)(**{**output, "pooler_output": pooled})

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
        ValueError: the network pools in another way, its classifier reads the class token, or its
            tokens are of text and image.
    """
    base, start = _base(model)
    name = type(base).__name__
    if {"input_ids", "pixel_values"} <= set(signature(base.forward).parameters):
        raise ValueError(
            f"{name} of transformers has tokens of text and image one after the other; call the "
            "layer on those of its last_hidden_state that are to be pooled"
        )
    for path in ("pooler.pooler", "pooler"):
        if _pools_a_map(submodule(base, path)):
            return map_place(model, start + path)
    path = f"{start}pooling"
    pooler = submodule(base, "pooling")
    if pooler is None:
        pooler = submodule(base, "pooler")
    elif not isinstance(pooler, MapPooling | TokenPooling):
        raise ValueError(
            f"{name} of transformers has a module pooling, the name that the adapter would take; "
            "call the layer, or dgmp.integrations.TokenPooling, on its last_hidden_state"
        )
    if name in MAPS:
        return MapPlace(path, "a mean in forward", partial(_hook, base))
    if type(base).__module__.startswith("timm."):
        raise ValueError(f"{type(model).__name__} holds a network of timm: give its timm_model")
    if pooler is None and base is not model and "For" not in type(model).__name__:
        raise ValueError(
            f"{type(model).__name__} of transformers pools in its own forward; call the layer, or "
            "dgmp.integrations.TokenPooling, on its last_hidden_state"
        )
    if pooler is None and base is not model:
        raise ValueError(
            f"{type(model).__name__} classifies tokens that it reads in its own forward; use "
            f"{name}, and a classifier on its pooler_output"
        )
    if name not in TOKENS and not hasattr(base, "pooler"):
        raise ValueError(
            f"{name} of transformers has no module pooler, and is none of those known "
            f"({', '.join([*MAPS, *TOKENS])}); call the layer, or "
            "dgmp.integrations.TokenPooling, on its last_hidden_state"
        )
    embeddings = getattr(base, "embeddings", None)
    tokens = [getattr(embeddings, parameter, None) for parameter in PREFIXES]
    return TokenPlace(
        path,
        "the class token" if pooler is None else description(pooler),
        partial(_hook, base),
        prefix_tokens=sum(token.shape[1] for token in tokens if isinstance(token, Tensor)),
        followers=tuple(child for child in model.children() if base not in (model, child)),
    )


def _base(model: nn.Module) -> tuple[nn.Module, str]:
    """The network under a classifier, or the model itself; and its path with a dot."""
    prefix = getattr(model, "base_model_prefix", "")
    base = submodule(model, prefix) if prefix else None
    if base is None or type(model).__name__ in MAPS + TOKENS:
        return model, ""
    return base, f"{prefix}."


def _pools_a_map(module: nn.Module | None) -> bool:
    """Whether it is PyTorch's, or an adapter: poolers of tokens are classes of transformers."""
    return type(module).__module__ == "torch.nn.modules.pooling" or isinstance(module, MapPooling)


def _hook(base: nn.Module, adapter: nn.Module) -> None:
    """Register the adapter as `pooling`, and what calls it, unless that was done before."""
    if not isinstance(submodule(base, "pooling"), MapPooling | TokenPooling):
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

"""A network's own global pooling, replaced by one of the layers."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from dgmp.integrations.adapters import ClassToken, MapPooling, TokenPooling
from dgmp.integrations.huggingface_models import huggingface_place
from dgmp.integrations.places import MapPlace, TokenPlace, map_place, submodule
from dgmp.integrations.timm_models import timm_place
from dgmp.integrations.torchvision_models import torchvision_place

FINDERS = {
    "timm": timm_place,
    "torchvision": torchvision_place,
    "transformers": huggingface_place,
}
"""What finds the place of a network's global pooling, by the library of its class."""

PATHS = ("head.global_pool", "global_pool", "avgpool", "pooler")
"""Where networks of other libraries have it."""


@dataclass(frozen=True)
class Replacement:
    """What `replace_pooling` did.

    Attributes:
        path: Of the new module in the network.
        replaced: What pooled there before.
        module: The new module; `module.pooling` is the layer.
    """

    path: str
    replaced: str
    module: MapPooling | TokenPooling

    def __str__(self) -> str:
        return f"{self.path}: {self.replaced} -> {self.module.pooling}"


def replace_pooling(
    model: nn.Module,
    name: str = "dgmp",
    *,
    class_token: ClassToken = "out",
    **settings: float | bool | None,
) -> Replacement:
    """Replace the global pooling of a network, in place.

    Known are networks of timm, torchvision and transformers, by their class, and others that have
    a module `global_pool`, `head.global_pool`, `avgpool` or `pooler`. A classifier behind the
    pooling keeps its weights, which were trained for another pooling.

    Args:
        model: The network.
        name: One of `dgmp.POOLINGS`.
        class_token: For networks of tokens, see `TokenPooling`: "out" pools the patches alone,
            "apart" puts the class token before the result, which no classifier may follow.
        settings: Keyword arguments of the layer.

    Raises:
        ValueError: it is not known where the network pools, or that place takes no other pooling;
            the message says why.
        TypeError: the layer has no such setting, or it is channels_last, which the network tells.

    Examples:
        >>> model = nn.Sequential()
        >>> model.avgpool = nn.AdaptiveAvgPool2d(1)
        >>> print(replace_pooling(model, "dgmp", relative=True))
        avgpool: AdaptiveAvgPool2d -> DGMP(lambda=1, learnable=True, normalize=True, relative=True)
    """
    if "channels_last" in settings:
        raise TypeError("channels_last is no setting here: the network tells how its map lies")
    libraries = [cls.__module__.split(".")[0] for cls in type(model).__mro__]
    library = next((known for known in libraries if known in FINDERS), None)
    place = FINDERS[library](model) if library else _place(model)
    module: MapPooling | TokenPooling
    if isinstance(place, MapPlace):
        if class_token != "out":
            raise ValueError(
                f"{type(model).__name__} pools a map, which has no class token; class_token must "
                f"be 'out', got {class_token!r}"
            )
        module = MapPooling(
            name, channels_last=place.channels_last, kept_axes=place.kept_axes, **settings
        )
    else:
        if class_token == "apart":
            _check_nothing_follows(model, place)
        module = TokenPooling(
            name, prefix_tokens=place.prefix_tokens, class_token=class_token, **settings
        )
    parameter = next(model.parameters(), None)
    if parameter is not None:
        module.to(parameter.device)
    place.install(module.train(model.training))
    return Replacement(place.path, place.replaced, module)


def _place(model: nn.Module) -> MapPlace:
    for path in PATHS:
        if submodule(model, path) is not None:
            return map_place(model, path)
    raise ValueError(
        f"{type(model).__name__} is of none of {', '.join(FINDERS)}, and has no module "
        f"{', '.join(PATHS)}; give the network in it, e.g. model.module or model.backbone, or put "
        "the layer where the network pools"
    )


def _check_nothing_follows(model: nn.Module, place: TokenPlace) -> None:
    for module in place.followers:
        if next(module.parameters(), None) is not None:
            raise ValueError(
                f"{type(model).__name__} has a {type(module).__name__} behind its pooling, which "
                "takes one vector, not class token and descriptor; remove it (num_classes=0 in "
                "timm), or use class_token='out'"
            )

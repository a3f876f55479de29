"""A network whose class inherits from a mixin first, and that can be copied and pickled."""

from __future__ import annotations

from typing import Any

from torch import nn


class Mixin:
    """First base of a class that is made at run time.

    A method of the class, unlike one set on the instance, is the copy's own after `copy.deepcopy`,
    and each replica's own in `nn.DataParallel`.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _blank, type(self).__bases__, self.__getstate__()


def inherit(model: nn.Module, mixin: type[Mixin]) -> None:
    """Let the network's class inherit from the mixin first, unless it does."""
    if not isinstance(model, mixin):
        model.__class__ = _subclass(mixin, type(model))


def own_class(model: nn.Module) -> type:
    """The class that the network had before `inherit`."""
    return type(model).__bases__[1] if isinstance(model, Mixin) else type(model)


_SUBCLASSES: dict[tuple[type, type], Any] = {}


def _subclass(mixin: type, network: type) -> Any:
    """The one class of these bases, so that copies are of the same."""
    if (mixin, network) not in _SUBCLASSES:
        own = {"__module__": mixin.__module__, "__doc__": network.__doc__}
        made = type(f"Pooled{network.__name__}", (mixin, network), own)
        _SUBCLASSES[mixin, network] = made
    return _SUBCLASSES[mixin, network]


def _blank(mixin: type, network: type) -> Any:
    cls = _subclass(mixin, network)
    return cls.__new__(cls)

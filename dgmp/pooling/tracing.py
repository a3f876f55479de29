"""What a function does that torch.fx shall record as one node instead of tracing its statements."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from torch.fx import Proxy
from torch.overrides import handle_torch_function

P = ParamSpec("P")
R = TypeVar("R")


def fx_node(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """A call of the function in the graph that is traced, so that its checks are made there.

    `torch.fx.wrap` makes nodes only of calls by a global name of the calling module. Here the
    function itself looks whether it is given a `torch.fx.Proxy`, which costs 0.1 microseconds.

    Args:
        function: Importable by its module and name, as the code of a graph does.
        args: Its arguments, at least one of them, or of kwargs, a proxy.
        kwargs: Its keyword arguments.
    """
    proxies = [given for given in (*args, *kwargs.values()) if isinstance(given, Proxy)]
    node: R = handle_torch_function(function, proxies, *args, **kwargs)
    return node

"""Deep Generalized Max Pooling (Christlein et al., ICDAR 2019).

`import dgmp` needs PyTorch alone, and loads it when a pooling layer is first asked for.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dgmp import functional
    from dgmp.pooling import DGMP, POOLINGS, StreamingGMP, build_pooling

__all__ = ["DGMP", "POOLINGS", "StreamingGMP", "build_pooling", "functional"]
__version__ = version("dgmp")


def __getattr__(name: str) -> Any:
    if name == "functional":
        return import_module("dgmp.pooling.functional")
    if name in __all__:
        return getattr(import_module("dgmp.pooling"), name)
    raise AttributeError(f"module 'dgmp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

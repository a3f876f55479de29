"""What a run is told by: settings, data, code, libraries and kind of device."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from pipeline.settings.params import Params
from pipeline.training.compute import kind_of_device
from pipeline.training.run import Run

LIBRARIES = (
    "accelerate",
    "numpy",
    "opencv-python-headless",
    "pytorch-metric-learning",
    "torch",
    "torchvision",
)


@dataclass(frozen=True)
class Identity:
    """All that makes the result of a run, in parts that can be named; values fit JSON."""

    parts: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        """A name for the result."""
        text = json.dumps(self.parts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def identify(params: Params, run: Run, digests: Mapping[str, str]) -> Identity:
    """The identity of a run; its name and the number of GPUs change nothing and are left out.

    Args:
        params: All settings.
        run: Cell and seed.
        digests: Of the data and of the code.
    """
    profile = params.active
    settings = {
        "cell": run.cell.model_dump(),
        "pooling": {
            "name": run.pooling.name,
            "value": run.pooling.value,
            "multiplier": run.pooling.multiplier,
        },
        "seed": run.seed,
        "trained": run.trained,
        "backbone": profile.backbone.model_dump(),
        "compute": params.compute.model_dump(),
        "schedule": profile.schedule(run.cell.task).model_dump(exclude={"seeds"}),
    }
    # Written and read once, so that tuples become lists, as in a file.
    return Identity(
        {
            "settings": json.loads(json.dumps(settings)),
            **digests,
            "libraries": {name: version(name) for name in LIBRARIES},
            "device": kind_of_device(),
        }
    )


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What differs between the parts of two identities, by dotted names.

    >>> differences({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 5, "c": 2}, "d": 4})
    ['a.b (1, now 5)', 'd (3, now 4)']
    """
    found: list[str] = []
    for key in sorted(old.keys() | new.keys()):
        before, after, name = old.get(key), new.get(key), f"{prefix}{key}"
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += differences(before, after, f"{name}.")
        elif before != after and prefix == "" and key in ("data", "code"):
            found.append(key)  # a digest tells nothing
        elif before != after:
            found.append(f"{name} ({before}, now {after})")
    return found

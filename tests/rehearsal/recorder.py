"""Which settings the stages read: `python -m tests.rehearsal.recorder STAGE...`, printed as JSON.

The stages run in this process, one after the other, in the current repository.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from pydantic import BaseModel

from pipeline.shared.settings import params
from pipeline.shared.settings.base import Settings

KEYS: dict[int, tuple[str, Settings]] = {}
"""The dotted key of each section, by the identity of its object, which is kept alive here."""
READ: dict[str, set[str]] = defaultdict(set)
STAGE = [""]


def leaves(value: Any, key: str) -> Iterator[str]:
    """The keys of the settings in a section; registers the sections on the way."""
    if isinstance(value, Settings):
        KEYS[id(value)] = key, value
        for name, field in type(value).model_fields.items():
            yield from leaves(value.__dict__[name], f"{key}.{field.alias or name}")
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{key}.{name}")
    else:
        yield key.removeprefix(".")


def record(settings: Settings, name: str | None = None) -> None:
    """Note that a setting, or all of a section, is read."""
    if id(settings) in KEYS:
        key = KEYS[id(settings)][0]
        if name is None:
            READ[STAGE[0]].update(leaves(settings, key))
        elif not isinstance(settings.__dict__[name], Settings | dict):
            field = type(settings).model_fields[name]
            READ[STAGE[0]].add(f"{key}.{field.alias or name}".removeprefix("."))


class Recorded(Settings):
    """The methods by which settings are read."""

    def __getattribute__(self, name: str) -> Any:
        value = BaseModel.__getattribute__(self, name)
        if name in type(self).model_fields:
            record(self, name)
        elif name in ("model_dump", "model_copy"):
            record(self)
        return value

    def __iter__(self) -> Any:
        record(self)
        return BaseModel.__iter__(self)


def main() -> None:
    load = params.load_params

    def load_recorded() -> params.Params:
        loaded = load()
        list(leaves(loaded, ""))
        return loaded

    params.load_params = load_recorded
    for method in ("__getattribute__", "__iter__"):
        setattr(Settings, method, Recorded.__dict__[method])
    for name in sys.argv[1:]:
        STAGE[0] = name
        stage, _, key = name.partition("@")
        door, _, task = stage.partition("-")
        sys.argv = [door, *filter(None, [key or task])]
        import_module(f"pipeline.{door}").main()
    print(json.dumps({name: sorted(keys) for name, keys in READ.items()}))


if __name__ == "__main__":
    main()

"""Settings in layers: defaults, a profile over them, a protocol over the profile paper."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

SHARED = ("cells", "poolings")
"""Sections of params.yaml itself; all others of a protocol are sections of the profile."""
READ_BY_DVC = ("task", "pooling")
"""Keys of a cell that dvc.yaml reads, to which no protocol applies."""


def with_defaults(content: Mapping[str, Any]) -> dict[str, Any]:
    """params.yaml with each profile laid over `defaults`, which is then left out.

    A section with a `source` of its own takes the place of the default whole.
    """
    laid = copy.deepcopy(dict(content))
    defaults = laid.pop("defaults", None)
    profiles = laid.get("profiles")
    if isinstance(defaults, dict) and isinstance(profiles, dict):
        laid["profiles"] = {
            name: _merged(defaults, profile) if isinstance(profile, dict) else profile
            for name, profile in profiles.items()
        }
    return laid


def with_protocol(
    content: Mapping[str, Any], protocol: str, *, chosen: bool = True
) -> dict[str, Any]:
    """The settings of `with_defaults` with a protocol laid over profile paper, cells and poolings.

    Args:
        content: Valid settings.
        protocol: A key of `protocols`.
        chosen: If not, what it says of a cell or a pooling that is not there is left out: cells
            may be taken out of params.yaml without a look at protocols that are not in use.

    Raises:
        ValueError: a key of the protocol is not among those that it is laid over.
    """
    laid = copy.deepcopy(dict(content))
    for section, changes in (laid["protocols"][protocol] or {}).items():
        below = laid if section in SHARED else laid["profiles"]["paper"]
        key = f"protocols.{protocol}.{section}"
        if section not in below:
            allowed = [*laid["profiles"]["paper"], *SHARED]
            raise ValueError(f"{key}: unknown key; allowed here: {', '.join(allowed)}")
        if section in SHARED and not chosen:
            changes = {name: value for name, value in changes.items() if name in below[section]}
        _require_known(below[section], changes, key)
        below[section] = _merged(below[section], changes)
        if section == "cells":
            for name, cell in changes.items():
                for fixed in READ_BY_DVC:
                    if isinstance(cell, dict) and fixed in cell:
                        raise ValueError(f"{key}.{name}.{fixed}: is the same under all protocols")
    return laid


def written_at(line: str, content: Mapping[str, Any]) -> str:
    """A message about a setting of a profile, with the key under which params.yaml has it."""
    key, colon, message = line.partition(": ")
    top, *path = key.split(".")
    if top != "profiles" or len(path) < 2:
        return line
    profile, *path = path
    own = _has(content["profiles"][profile], path)
    if own or not _has(content.get("defaults"), path):
        return line
    return f"defaults.{'.'.join(path)}{colon}{message}"


def _merged(below: Any, above: Any) -> Any:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return copy.deepcopy(above)
    if above.get("source", below.get("source")) != below.get("source"):
        return copy.deepcopy(above)
    return copy.deepcopy(below) | {
        key: _merged(below.get(key), value) for key, value in above.items()
    }


def _require_known(below: Mapping[str, Any], above: Any, key: str) -> None:
    for name, value in above.items():
        if name not in below:
            raise ValueError(f"{key}.{name}: unknown key; allowed here: {', '.join(below)}")
        if isinstance(below[name], dict) and isinstance(value, dict):
            _require_known(below[name], value, f"{key}.{name}")


def _has(section: Any, path: list[str]) -> bool:
    for part in path:
        if isinstance(section, list):
            return True
        if not isinstance(section, dict) or part not in section:
            return False
        section = section[part]
    return True

"""Protocols: settings laid over profile paper where the authors' code differs from the paper."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

SHARED = ("cells", "poolings")
"""Sections of params.yaml itself; all others of an overlay are sections of the profile."""
READ_BY_DVC = ("task", "pooling")
"""Of a cell: dvc.yaml makes dependencies of them, and knows no overlay."""


def overlay(content: Mapping[str, Any], protocol: str, *, chosen: bool = True) -> dict[str, Any]:
    """params.yaml with `protocols.<protocol>` laid over profile paper, cells and poolings.

    Args:
        content: params.yaml; its own values are valid settings.
        protocol: A key of `protocols`.
        chosen: If not, what it says of a cell or a pooling that is not there is left out: cells
            may be taken out of params.yaml without a look at protocols that are not in use.

    Raises:
        ValueError: a key of the overlay is not among those that it is laid over.
    """
    laid = copy.deepcopy(dict(content))
    for section, changes in (laid["protocols"][protocol] or {}).items():
        below = laid if section in SHARED else laid["profiles"]["paper"]
        key = f"protocols.{protocol}.{section}"
        if section in SHARED and not chosen:
            changes = {name: value for name, value in changes.items() if name in below[section]}
        _lay(below[section], changes, key)
        if section == "cells":
            for name, cell in changes.items():
                for fixed in READ_BY_DVC:
                    if fixed in cell:
                        raise ValueError(f"{key}.{name}.{fixed}: is the same under all protocols")
    return laid


def overlay_key(line: str, *, protocol: str) -> str:
    """Where a setting came from: the key of a complaint about settings with an overlay."""
    line = line.removeprefix("profiles.paper.")
    return f"protocols.{protocol}.{line}"


def _lay(below: dict[str, Any], changes: Mapping[str, Any], key: str) -> None:
    for name, value in changes.items():
        if name not in below:
            raise ValueError(f"{key}.{name}: unknown key; allowed here: {', '.join(below)}")
        if isinstance(below[name], dict) and isinstance(value, dict):
            _lay(below[name], value, f"{key}.{name}")
        else:
            below[name] = copy.deepcopy(value)

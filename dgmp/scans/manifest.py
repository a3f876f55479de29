"""IIIF Presentation manifests of versions 2 and 3, as plain values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dgmp.scans.names import one_line

MOST = 5000
"""Canvases of a manifest; a codex has hundreds."""
MARKS = (b"iiif.io/api/presentation", b"sc:Manifest", b"sc:Collection")
HEAD = 1 << 16
LONGEST = 200
"""Characters of a label; some are whole sentences."""
LANGUAGES = ("en", "none", "@none", "")
"""Of labels, which are taken first."""


@dataclass(frozen=True)
class Canvas:
    """A page of a manifest.

    Attributes:
        label: What the library calls it.
        image: Address of the image as it is.
        service: What the manifest tells of the image's service, as its info.json would; None
            without one.
        width: Of the image in pixels, None if the manifest does not tell.
    """

    label: str
    image: str
    service: dict[str, Any] | None = None
    width: int | None = None


@dataclass(frozen=True)
class Manifest:
    """A codex as a library publishes it; of a canvas without an image there is its label alone."""

    label: str
    canvases: list[Canvas | str]


def is_manifest(file: Path) -> bool:
    """Whether a file seems to be a manifest or a collection of them."""
    try:
        with open(file, "rb") as opened:
            head = opened.read(HEAD)
    except OSError:
        return False
    return any(mark in head for mark in MARKS)


def parse_manifest(data: bytes, name: str) -> Manifest:
    """Read a manifest.

    Args:
        data: The file.
        name: What messages call it.

    Raises:
        ValueError: it is a collection, no manifest, without canvases, or has too many.
    """
    try:
        content = json.loads(data)
    except (UnicodeDecodeError, RecursionError, ValueError):
        what = "a web page" if b"<html" in data[:HEAD].lower() else "no JSON"
        raise ValueError(
            f"{name} is {what}, wanted: a IIIF manifest; look on the page of the codex for the "
            "link with the IIIF logo"
        ) from None
    kind = str(_get(content, "type") or _get(content, "@type"))
    if kind in ("Collection", "sc:Collection"):
        raise ValueError(_tell_collection(content, name))
    if kind not in ("Manifest", "sc:Manifest"):
        raise ValueError(f"{name} is JSON of type {one_line(kind)}, wanted: a IIIF manifest")
    third = kind == "Manifest"
    items = _list(_get(content, "items" if third else "sequences"))
    canvases = items if third else _list(_get(_first(items), "canvases"))
    if not canvases:
        raise ValueError(f"{name} is a manifest without canvases: there is nothing to search")
    if len(canvases) > MOST:
        raise ValueError(f"{name} has {len(canvases):,} canvases, read are at most {MOST:,}")
    read = _canvas_3 if third else _canvas_2
    label = _text(_get(content, "label")) or "manifest without a label"
    return Manifest(label, [read(canvas, place) for place, canvas in enumerate(canvases, 1)])


def _tell_collection(content: Any, name: str) -> str:
    members = [
        member
        for key in ("items", "manifests", "members", "collections")
        for member in _list(_get(content, key))
    ]
    kinds = [str(_get(member, "type") or _get(member, "@type")) for member in members]
    manifests = [m for m, kind in zip(members, kinds, strict=True) if kind.endswith("Manifest")]
    inner = sum(kind.endswith("Collection") for kind in kinds)
    more = f" and {inner:,} further collection{'s' * (inner > 1)}" if inner else ""
    example = _identity(manifests[0]) if manifests else ""
    return f"{name} is a collection of {len(manifests):,} manifests{more}: give one manifest" + (
        f", for example {one_line(example)}" if example else ""
    )


def _canvas_2(canvas: Any, place: int) -> Canvas | str:
    label = _text(_get(canvas, "label")) or f"canvas {place}"
    resource = _get(_first(_get(canvas, "images")), "resource")
    for inner in ("default", "full"):
        # Of oa:Choice and oa:SpecificResource.
        resource = _get(resource, inner) if isinstance(_get(resource, inner), dict) else resource
    return _canvas(label, resource)


def _canvas_3(canvas: Any, place: int) -> Canvas | str:
    label = _text(_get(canvas, "label")) or f"canvas {place}"
    body = _first(_get(_first(_get(_first(_get(canvas, "items")), "items")), "body"))
    if _get(body, "type") == "Choice":
        body = _first(_get(body, "items"))
    if _get(body, "type") == "SpecificResource" and isinstance(_get(body, "source"), dict):
        body = _get(body, "source")
    return _canvas(label, body)


def _canvas(label: str, resource: Any) -> Canvas | str:
    services = [s for s in _list(_get(resource, "service")) if isinstance(s, dict)]
    service = next((s for s in services if _is_image_service(s)), None)
    image = _identity(resource)
    if not (image or service):
        return label
    if str(_get(resource, "type") or "Image") not in ("Image", "dctypes:Image"):
        return label
    width = _get(resource, "width")
    return Canvas(label, image, service, width if isinstance(width, int) and width > 0 else None)


def _is_image_service(service: dict[str, Any]) -> bool:
    told = f"{service.get('type') or service.get('@type') or ''} {service.get('@context') or ''} "
    told += str(service.get("profile") or "")
    return bool(_identity(service)) and ("image" in told.lower() or "level" in told)


def _identity(thing: Any) -> str:
    found = _get(thing, "id") or _get(thing, "@id")
    return found if isinstance(found, str) else ""


def _text(label: Any) -> str:
    """Text of a label: strings, language maps, or values with languages."""
    texts: dict[str, list[str]] = {}
    for value in _list(label):
        if isinstance(value, dict) and "@value" not in value:
            for language, values in value.items():
                texts.setdefault(language, []).extend(_plain(text) for text in _list(values))
        else:
            language = str(_get(value, "@language") or "")
            texts.setdefault(language, []).append(_plain(value))
    joined = {
        language: one_line("; ".join(filter(None, those)))[:LONGEST]
        for language, those in texts.items()
    }
    joined = {language: text for language, text in joined.items() if text}
    chosen = next((language for language in LANGUAGES if language in joined), None)
    return joined[chosen] if chosen is not None else next(iter(joined.values()), "")


def _plain(value: Any) -> str:
    value = _get(value, "@value") if isinstance(value, dict) else value
    return str(value) if isinstance(value, str | int | float) else ""


def _get(thing: Any, key: str) -> Any:
    return thing.get(key) if isinstance(thing, dict) else None


def _list(thing: Any) -> list[Any]:
    return thing if isinstance(thing, list) else [] if thing is None else [thing]


def _first(thing: Any) -> Any:
    return next(iter(_list(thing)), None)

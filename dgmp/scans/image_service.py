"""Addresses of whole images at a width, by IIIF Image API 2 and 3."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

from dgmp.scans.manifest import Canvas


def image_address(canvas: Canvas, width: int) -> str | None:
    """Address of the image of a canvas, at most `width` pixels wide and never enlarged.

    Returns:
        The address; None if the manifest tells too little, so that info.json has to be asked.
    """
    if canvas.service is None:
        return canvas.image
    return service_address(canvas.service, width, canvas.width)


def info_address(service: dict[str, Any]) -> str:
    """Address of what a service tells of its image."""
    return f"{service_id(service)}/info.json"


def service_address(service: dict[str, Any], width: int, native: int | None = None) -> str | None:
    """Address of the image of a service.

    Args:
        service: Its info.json, or as much of it as a manifest has.
        width: Wanted, in pixels.
        native: Width of the image in pixels, if the service does not tell.

    Returns:
        The address; None if the width or, of a service with fixed sizes alone, these are not told.
    """
    native = _number(service.get("width")) or native
    if native is None:
        return None
    largest = min([native, *_limits(service, native)])
    if _fixed(service):
        sizes = sorted(_sizes(service))
        if not sizes:
            return None
        w, h = next((size for size in sizes if size[0] >= min(width, largest)), sizes[-1])
        return _address(service, f"{w},{h}")
    if width >= native == largest:
        return _address(service, "max" if _third(service) else "full")
    return _address(service, f"{min(width, largest)},")


def _address(service: dict[str, Any], size: str) -> str:
    return f"{service_id(service)}/full/{size}/0/default.jpg"


def service_id(service: dict[str, Any]) -> str:
    """Address of a service itself."""
    return str(service.get("id") or service.get("@id")).rstrip("/")


def _third(service: dict[str, Any]) -> bool:
    told = (service.get("type"), service.get("@type"))
    return "ImageService3" in told or "api/image/3" in str(service.get("@context"))


def _profiles(service: dict[str, Any]) -> list[Any]:
    profile = service.get("profile")
    return profile if isinstance(profile, list) else [profile]


def _fixed(service: dict[str, Any]) -> bool:
    """Whether only listed sizes can be had."""
    return any(isinstance(p, str) and "level0" in p for p in _profiles(service))


def _sizes(service: dict[str, Any]) -> Iterator[tuple[int, int]]:
    sizes = service.get("sizes")
    for size in sizes if isinstance(sizes, list) else []:
        if isinstance(size, dict):
            width, height = _number(size.get("width")), _number(size.get("height"))
            if width and height:
                yield width, height


def _limits(service: dict[str, Any], native: int) -> Iterator[int]:
    """Largest widths by maxWidth, maxHeight and maxArea, which version 2 has in its profile."""
    height = _number(service.get("height"))
    for part in (service, *(p for p in _profiles(service) if isinstance(p, dict))):
        if most := _number(part.get("maxWidth")):
            yield most
        tallest = _number(part.get("maxHeight")) or most
        if tallest and height:
            yield max(1, tallest * native // height)
        if (area := _number(part.get("maxArea"))) and height:
            yield max(1, int(sqrt(area * native / height)))


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None

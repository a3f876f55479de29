"""Messages about wrong settings: one line each, with the key and what is allowed."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ValidationError


def settings_errors(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """One line for each wrong key, as in `pooling.lamda: unknown key; allowed here: name, …`.

    Args:
        error: From the validation of the settings.
        root: The model of all settings; a field `source` selects the member of a union.
    """
    return [_settings_error(detail, root) for detail in error.errors()]


def _settings_error(detail: Any, root: type[BaseModel]) -> str:
    key, allowed = _locate(detail["loc"], root)
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        message = f"unknown key; allowed here: {', '.join(allowed)}"
    elif detail["type"] == "union_tag_invalid":
        key = f"{key}.source"
        message = f"must be {detail['ctx']['expected_tags']}, got {detail['ctx']['tag']!r}"
    elif detail["type"] not in ("value_error", "missing"):
        message = f"{message}, got {detail['input']!r}"
    return f"{key}: {message}" if key else message


def _locate(location: tuple[Any, ...], root: type[BaseModel]) -> tuple[str, list[str]]:
    """The dotted key of an error, without the tags of unions, and the keys allowed beside it."""
    models: list[type[BaseModel]] = [root]
    key: list[str] = []
    allowed: list[str] = []
    for part in location:
        tagged = [model for model in models if part in _tags(model)]
        if tagged and len(models) > 1:
            models = tagged
            continue
        key.append(str(part))
        fields = [(name, field) for m in models for name, field in m.model_fields.items()]
        allowed = [field.alias or name for name, field in fields]
        inner = [f.annotation for name, f in fields if part in (name, f.alias)]
        models = [model for annotation in inner for model in _settings_in(annotation)] or models
    return ".".join(key), allowed


def _settings_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _settings_in(argument)]


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    source = model.model_fields.get("source")
    return get_args(source.annotation) if source else ()

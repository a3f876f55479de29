"""Saving of fitted estimators: arrays as safetensors, all else as JSON, nothing pickled."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from sklearn.base import BaseEstimator

from dgmp.files import whole_folder

# What can be saved and loaded, and the module of each, which is loaded when it is needed. An
# estimator's state must be in its parameters and in attributes that end in an underscore: numbers,
# text, lists of them, arrays, or estimators.
CLASSES = {
    "ExemplarSVM": "dgmp.encoding.exemplar_svm",
    "LocalDescriptors": "dgmp.encoding.local_descriptors",
    "Pipeline": "sklearn.pipeline",
    "PowerNorm": "dgmp.encoding.power_norm",
    "VLAD": "dgmp.encoding.vlad",
    "Whitening": "dgmp.encoding.whitening",
}

ARRAYS, VALUES = "arrays.safetensors", "estimator.json"
FORMAT = "dgmp.encoding 1"

# In JSON, an object with one of these as its only key stands for what JSON does not have.
_ARRAY, _NAMES, _TUPLE, _ESTIMATOR = "array", "names", "tuple", "estimator"

_REMEDY = "give a folder that dgmp.encoding.save wrote, or fit and save again"


def save(estimator: BaseEstimator, folder: str | Path) -> None:
    """Write an estimator, fitted or not, to a folder, which appears whole or not at all.

    Args:
        estimator: Of `CLASSES`; pipelines and estimators inside estimators too.
        folder: New, empty, or of an estimator saved before, which is replaced.

    Raises:
        ValueError: on an estimator that is not in `CLASSES`, on a value that is neither an array
            nor fit for JSON, on a folder that holds something else.
    """
    folder = Path(folder)
    if folder.is_file():
        raise ValueError(f"{folder} is a file: name a new folder")
    if not isinstance(estimator, BaseEstimator):
        raise ValueError(f"what is saved must be an estimator, got a {type(estimator).__name__}")
    if folder.exists() and not (folder / VALUES).is_file() and any(folder.iterdir()):
        raise ValueError(
            f"{folder} holds other files, which saving would remove: name a new folder"
        )
    arrays: dict[str, NDArray[np.generic]] = {}
    content = _packed(estimator, type(estimator).__name__, arrays)
    text = json.dumps({"format": FORMAT, "content": content}, indent=2)
    with whole_folder(folder) as part:
        save_file(arrays, part / ARRAYS)
        (part / VALUES).write_text(text, encoding="utf-8")


def load(folder: str | Path) -> Any:
    """Read an estimator that `save` wrote; it transforms to the same bits.

    Raises:
        ValueError: on a folder that is missing, damaged, of another format, or holds an estimator
            that is not in `CLASSES`; it names the file.
    """
    folder = Path(folder)
    for file in (folder / VALUES, folder / ARRAYS):
        if not file.is_file():
            raise ValueError(f"{file} is missing: {_REMEDY}")
    try:
        arrays = load_file(folder / ARRAYS)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{folder / ARRAYS} cannot be read ({error}): {_REMEDY}") from None
    try:
        values = json.loads((folder / VALUES).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{folder / VALUES} is no JSON ({error}): {_REMEDY}") from None
    found = values.get("format") if isinstance(values, dict) else None
    if found != FORMAT:
        raise ValueError(
            f"{folder / VALUES} must have the format {FORMAT!r}, got {found!r}: {_REMEDY}"
        )
    try:
        return _unpacked(values["content"], arrays)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{folder / VALUES} does not describe an estimator of this version by the arrays of "
            f"{ARRAYS} ({type(error).__name__}: {error}): {_REMEDY}"
        ) from None


def _packed(value: Any, name: str, arrays: dict[str, NDArray[np.generic]]) -> Any:
    """What stands for a value in JSON; its arrays go to `arrays`, under names that begin so."""
    if isinstance(value, BaseEstimator):
        return {_ESTIMATOR: _packed_estimator(value, name, arrays)}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        arrays[name] = np.ascontiguousarray(value)
        return {_ARRAY: name}
    if isinstance(value, np.ndarray) and all(isinstance(item, str) for item in value.flat):
        return {_NAMES: value.tolist()}
    if isinstance(value, tuple):
        return {_TUPLE: _packed(list(value), name, arrays)}
    if isinstance(value, list):
        return [_packed(item, f"{name}.{i}", arrays) for i, item in enumerate(value)]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(
        f"{name} is a {type(value).__name__}, which cannot be saved without pickling: it must be a "
        "number, text, a list of them, an array, or an estimator"
    )


def _packed_estimator(
    estimator: BaseEstimator, name: str, arrays: dict[str, NDArray[np.generic]]
) -> dict[str, Any]:
    kind = type(estimator).__name__
    if kind not in CLASSES or _class_of(kind) is not type(estimator):
        raise ValueError(f"a {kind} cannot be saved, only {', '.join(CLASSES)}")
    parameters = estimator.get_params(deep=False)
    state = vars(estimator).items()
    fitted = {key: value for key, value in state if _is_fitted(key) and key not in parameters}
    return {
        "class": kind,
        "parameters": {k: _packed(v, f"{name}.{k}", arrays) for k, v in parameters.items()},
        "fitted": {k: _packed(v, f"{name}.{k}", arrays) for k, v in fitted.items()},
    }


def _class_of(name: str) -> type[BaseEstimator]:
    found: type[BaseEstimator] = getattr(import_module(CLASSES[name]), name)
    return found


def _is_fitted(attribute: str) -> bool:
    return attribute.endswith("_") and not attribute.startswith("_")


def _unpacked(value: Any, arrays: dict[str, NDArray[np.generic]]) -> Any:
    """The value that `_packed` stands for."""
    if isinstance(value, list):
        return [_unpacked(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == _ARRAY:
        return arrays[content]
    if kind == _NAMES:
        return np.array(content)
    if kind == _TUPLE:
        return tuple(_unpacked(content, arrays))
    if content["class"] not in CLASSES:
        raise ValueError(f"its class must be one of {', '.join(CLASSES)}, got {content['class']!r}")
    parameters = {key: _unpacked(item, arrays) for key, item in content["parameters"].items()}
    estimator = _class_of(content["class"])(**parameters)
    for key, item in content["fitted"].items():
        if not _is_fitted(key):  # of a foreign file: it must not replace a method
            raise ValueError(f"no fitted attribute: {key!r}")
        setattr(estimator, key, _unpacked(item, arrays))
    return estimator

"""Names of poolings in tables and figures."""

from __future__ import annotations

import math

from pipeline.shared.settings.cells import Pooling, PoolingName

LABELS: dict[PoolingName, str] = {
    "avg": "Avg",
    "avg_l2": "Avg + ℓ²",
    "sum": "Sum",
    "max": "Max",
    "mixed": "Mixed, α",
    "lse": "LSE, r",
    "gem": "GeM, p",
    "dgmp": "DGMP, λ",
}


def pooling_label(pooling: Pooling) -> str:
    """Name of a pooling with its initial parameter, as a reader of the paper knows it.

    >>> pooling_label(Pooling.model_validate({"name": "dgmp", "lambda": 100000}))
    'DGMP, λ = 10⁵'
    """
    value = pooling.value
    if value is None:
        return LABELS[pooling.name]
    shown = _power_of_ten(value) if pooling.name == "dgmp" else f"{value:g}"
    label = "DGMP, relative λ" if pooling.relative else LABELS[pooling.name]
    return f"{label} = {shown}"


def _power_of_ten(value: float) -> str:
    exponent = round(math.log10(value))
    if exponent < 3 or value != 10**exponent:
        return f"{value:g}"
    return "10" + str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))

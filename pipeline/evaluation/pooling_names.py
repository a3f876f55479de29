"""Names of poolings in tables and figures."""

from __future__ import annotations

import math

from pipeline.settings.cells import Pooling


def pooling_label(pooling: Pooling) -> str:
    """Name of a pooling with its initial parameter, as a reader of the paper knows it.

    >>> pooling_label(Pooling.model_validate({"name": "dgmp", "lambda": 100000}))
    'DGMP, λ = 10⁵'
    """
    return {
        "avg": "Avg",
        "avg_l2": "Avg + ℓ²",
        "sum": "Sum",
        "max": "Max",
        "mixed": f"Mixed, α = {pooling.alpha:g}",
        "lse": f"LSE, r = {pooling.r:g}",
        "gem": f"GeM, p = {pooling.p:g}",
        "dgmp": f"DGMP, λ = {_power_of_ten(pooling.lambda_)}",
    }[pooling.name]


def _power_of_ten(value: float) -> str:
    exponent = round(math.log10(value))
    if exponent < 3 or value != 10**exponent:
        return f"{value:g}"
    return "10" + str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))

"""Handcrafted page features: functions from one page to one float32 vector.

The features of ink take a binary page uint8 (H, W), ink 0 and paper 255, of
`dgmp.images.binarization.binarize`. A page without information, with less ink than
`ink.MIN_INK_PIXELS`, gives zeros.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dgmp.encoding.handcrafted.background import background
from dgmp.encoding.handcrafted.distances import METRICS, Metric, distance_matrix
from dgmp.encoding.handcrafted.hinge import cohinge, hinge
from dgmp.encoding.handcrafted.obif import obif_columns
from dgmp.encoding.handcrafted.page_statistics import page_statistics
from dgmp.encoding.handcrafted.srs_lbp import srs_lbp

__all__ = [
    "FEATURES",
    "METRICS",
    "Feature",
    "Metric",
    "background",
    "cohinge",
    "distance_matrix",
    "hinge",
    "obif_columns",
    "page_statistics",
    "srs_lbp",
]


@dataclass(frozen=True)
class Feature:
    """A feature with the metric of its paper, or the one that a baseline is compared by.

    Attributes:
        function: takes the pages of `needs` in this order, and gives a float32 vector.
        metric: of `distance_matrix`.
        needs: the pages it takes, of one size.
    """

    function: Callable[..., np.ndarray]
    metric: Metric
    needs: tuple[Literal["grey", "binary"], ...]


FEATURES: dict[str, Feature] = {
    "hinge": Feature(hinge, "chi-squared", ("binary",)),
    "cohinge": Feature(cohinge, "chi-squared", ("binary",)),
    "obif": Feature(obif_columns, "L1", ("binary",)),
    "srs-lbp": Feature(srs_lbp, "cosine", ("binary",)),
    "page-statistics": Feature(page_statistics, "euclidean", ("binary",)),
    "background": Feature(background, "L1", ("grey", "binary")),
}

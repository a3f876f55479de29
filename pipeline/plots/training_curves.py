"""What the stage train logged of each epoch, over the runs of a cell."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.evaluation.predictions import run_folder
from pipeline.shared.settings.params import Params


class Curve(NamedTuple):
    """Epochs, and the runs' mean and sample standard deviation there, all (E,).

    The deviation of a single run is 0.
    """

    epochs: NDArray[np.int64]
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]


def read_curve(params: Params, name: str, column: str) -> Curve:
    """A column of a cell's curves.csv over the epochs that have a value."""
    rows = pd.read_csv(run_folder(name, params) / "curves.csv")
    values = rows.pivot(index="epoch", columns="seed", values=column).dropna()
    return Curve(
        values.index.to_numpy(),
        values.mean(axis=1).to_numpy(),
        values.std(axis=1).fillna(0).to_numpy(),
    )

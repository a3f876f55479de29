"""What was logged of each epoch of a cell's runs: curves.csv of the stage train."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.predictions import RunError


def read_epochs(
    file: Path, column: str, seeds: Sequence[int], remedy: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """A column of a curves.csv: epochs (E,) that have a value, and the values (seeds, E).

    Raises:
        RunError: naming the file, if it or a seed is missing, if a seed has no value, or if the
            seeds have values of different epochs.
    """
    values: dict[int, dict[int, float]] = defaultdict(dict)
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                if row[column]:
                    values[int(row["seed"])][int(row["epoch"])] = float(row[column])
    except FileNotFoundError:
        raise RunError(f"{file} is missing: {remedy}") from None
    except (KeyError, ValueError) as error:
        raise RunError(f"{file} is damaged ({error!r}): {remedy}") from None
    what = column.replace("_", " ")
    for seed in seeds:
        if seed not in values:
            raise RunError(f"{file} has no {what} of seed {seed}: {remedy}")
        if values[seed].keys() != values[seeds[0]].keys():
            raise RunError(
                f"{file}: seeds {seeds[0]} and {seed} have a {what} of different epochs, so that "
                f"they have no mean: {remedy}"
            )
    epochs = sorted(values[seeds[0]])
    return np.array(epochs), np.array([[values[seed][e] for e in epochs] for seed in seeds])

"""How often a classifier is right that always names the largest class of the test pages."""

from __future__ import annotations

import csv
from collections import Counter

from pipeline.evaluation.predictions import RunError
from pipeline.settings.base import Task
from pipeline.settings.params import Params


def largest_class(params: Params, task: Task) -> float:
    """Share in percent of the most frequent label among a task's test pages.

    Raises:
        RunError: if pages.csv is missing, damaged, or has no page of the task.
    """
    file = params.data / "evaluate" / "pages.csv"
    cells = [name for name, cell in params.cells.items() if cell.task == task]
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            labels = {
                row["file"]: row["label"] for row in csv.DictReader(lines) if row["cell"] in cells
            }
    except FileNotFoundError:
        raise RunError(f"{file} is missing: run `dvc repro evaluate`") from None
    except KeyError as error:
        raise RunError(f"{file} is damaged ({error!r}): run `dvc repro -f evaluate`") from None
    if not labels:
        raise RunError(f"{file} has no pages of {', '.join(cells)}: run `dvc repro evaluate`")
    return 100 * max(Counter(labels.values()).values()) / len(labels)

"""Stage variant: one run of your own beside the tables, set by `pooling` and `train`."""

from functools import partial

from pipeline.settings.cells import Cell
from pipeline.settings.params import load_params
from pipeline.shared.launcher import launched
from pipeline.shared.stage import run
from pipeline.training.cell import train_cell
from pipeline.training.run import Run

MULTIPLIERS = {"dgmp": 1000.0, "gem": 10.0, "lse": 10.0, "mixed": 10.0}
"""Of the learning rate of the pooling's own parameter, as in the writers' table cells."""


def main() -> None:
    params = load_params()
    chosen = params.train
    multiplier = chosen.pooling_multiplier
    if multiplier is None:
        multiplier = MULTIPLIERS.get(params.pooling.name, 1.0)
    cell = Cell(
        task=chosen.task,
        pooling="variant",
        margin=chosen.margin if chosen.task == "writers" else None,
        pooling_multiplier=multiplier,
    )
    train_cell(params, [Run("variant", cell, params.pooling, chosen.seed)], params.data / "variant")


if __name__ == "__main__":
    run(partial(launched, main))

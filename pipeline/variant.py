"""Stage variant: one run of your own beside the tables, set by `pooling` and `train`."""

from functools import partial

from pipeline.shared.launcher import launched
from pipeline.shared.settings.cells import Cell
from pipeline.shared.settings.params import load_params
from pipeline.shared.stage import run
from pipeline.training.cell import train_cell
from pipeline.training.run import Run


def main() -> None:
    params = load_params()
    chosen = params.train
    cell = Cell(
        task=chosen.task,
        pooling="variant",
        margin=chosen.margin if chosen.task == "writers" else None,
    )
    multiplier = chosen.multiplier.model_dump().get(params.pooling.name)
    pooling = params.pooling.model_copy(update={"multiplier": multiplier})
    train_cell(params, [Run("variant", cell, pooling, chosen.seed)], params.data / "variant")


if __name__ == "__main__":
    run(partial(launched, main))

"""Stage train: all seeds of one table cell, `python -m pipeline.train <cell>`."""

import sys
from functools import partial

from pipeline.shared.launcher import launched
from pipeline.shared.settings.params import ParamsError, load_params
from pipeline.shared.stage import run
from pipeline.training.cell import train_cell
from pipeline.training.run import Run


def main() -> None:
    params = load_params()
    name = sys.argv[1] if len(sys.argv) == 2 else ""
    if name not in params.cells:
        raise ParamsError(f"cell {name!r} is not one of cells: {', '.join(params.cells)}")
    cell = params.cells[name]
    pooling = params.poolings[cell.pooling]
    seeds = params.active.schedule(cell.task).seeds
    train_cell(
        params, [Run(name, cell, pooling, seed) for seed in seeds], params.data / "train" / name
    )


if __name__ == "__main__":
    run(partial(launched, main))

"""Stage untrained: the starting network without fine-tuning, on every task."""

from functools import partial

from pipeline.settings.params import load_params
from pipeline.shared.launcher import launched
from pipeline.shared.stage import run
from pipeline.training.cell import train_cell
from pipeline.training.run import Run


def main() -> None:
    params = load_params()
    for name, cell in params.untrained.items():
        start = Run(name, cell, params.poolings[cell.pooling], seed=0, trained=False)
        train_cell(params, [start], params.data / "untrained" / name)


if __name__ == "__main__":
    run(partial(launched, main))

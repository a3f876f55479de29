"""Stage baseline: the starting network without fine-tuning, on every task."""

from functools import partial

from pipeline.command import run
from pipeline.finished import train_cell
from pipeline.launch import launched
from pipeline.params import load_params
from pipeline.run import Run


def main() -> None:
    params = load_params()
    for name, cell in params.untrained.items():
        start = Run(name, cell, params.poolings[cell.pooling], seed=0, trained=False)
        train_cell(params, [start], params.data / "baseline" / name)


if __name__ == "__main__":
    run(partial(launched, main))

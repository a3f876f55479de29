"""Stage untrained: the starting network as it is, `python -m pipeline.untrained <row>`."""

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
    if name not in params.untrained:
        raise ParamsError(f"row {name!r} is not one of untrained: {', '.join(params.untrained)}")
    cell = params.untrained[name]
    start = Run(name, cell, params.poolings[cell.pooling], seed=0, trained=False)
    train_cell(params, [start], params.data / "untrained" / name)


if __name__ == "__main__":
    run(partial(launched, main))

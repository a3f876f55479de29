"""Stage variant: one run of your own beside the tables, set by `pooling` and `train`."""

import json
from functools import partial

from pipeline.evaluate import score
from pipeline.settings.cells import Cell
from pipeline.settings.params import load_params
from pipeline.shared.launcher import is_main, launched
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
    multiplier = getattr(chosen.multiplier, params.pooling.name, None)
    pooling = params.pooling.model_copy(update={"multiplier": multiplier})
    output = params.data / "variant"
    train_cell(params, [Run("variant", cell, pooling, chosen.seed)], output)
    if not is_main():
        return
    distance = params.active.writers.distance
    scores = score(output / f"seed{chosen.seed}.npz", chosen.task, distance)
    summary = json.loads((output / "runs.json").read_text(encoding="utf-8"))[0]
    path = output / "scores.json"
    path.write_text(json.dumps(scores | summary, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(partial(launched, main))

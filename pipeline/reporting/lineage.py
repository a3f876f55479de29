"""Where the scores of a cell come from: settings, data, code and weights of its runs.

All of it is the same whenever the same is run: commits, machines and times are not, and stand in
the report (see `pipeline.shared.provenance`).
"""

from __future__ import annotations

from typing import Any

from pipeline.evaluation.predictions import (
    RunError,
    read_run_facts,
    run_folder,
    seeds_of,
    train_command,
)
from pipeline.settings.params import Params


def origins(params: Params, name: str) -> dict[str, Any]:
    """Task, command, settings, digests of data and code, libraries, and the runs of a cell.

    Raises:
        RunError: a run is missing, or its runs differ in more than their seeds.
    """
    cell = params.cells[name]
    facts = read_run_facts(name, seeds_of(name, cell, params), params)
    file = run_folder(name, params) / "runs.json"
    remedy = f"run `dvc repro -f train@{name}`"
    parts: list[dict[str, Any]] = []
    for seed, fact in facts.items():
        if not {"fingerprint", "weights", "identity"} <= fact.keys():
            raise RunError(
                f"{file} does not tell what the run of seed {seed} was made of: {remedy}"
            )
        settings = {k: v for k, v in fact["identity"]["settings"].items() if k != "seed"}
        parts.append(fact["identity"] | {"settings": settings})
        if parts[-1] != parts[0]:
            raise RunError(f"{file} has runs of different settings, data or code: {remedy}")
    return {
        "task": cell.task,
        "command": train_command(name, params),
        **parts[0],
        "runs": [
            {
                "seed": seed,
                "fingerprint": fact["fingerprint"],
                "weights": fact["weights"],
                "best_epoch": fact.get("best_epoch"),
                "validation_score": fact.get("validation_score"),
            }
            for seed, fact in facts.items()
        ],
    }

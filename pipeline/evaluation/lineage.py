"""What the scores of a cell were made of: settings, data, code and weights of its runs.

All of it is the same whenever the same is run. Commits, machines and times are not, and stand in
the report alone.
"""

from __future__ import annotations

from typing import Any

from pipeline.evaluation.predictions import read_run_facts, seeds_of, train_command
from pipeline.shared.settings.params import Params


def lineage(params: Params, name: str) -> dict[str, Any]:
    """Task, command, settings, digests of data and code, libraries, and the runs of a cell."""
    cell = params.cells[name]
    facts = list(read_run_facts(name, seeds_of(name, cell, params), params).values())
    parts = facts[0]["parts"]
    kept = ("seed", "fingerprint", "weights", "best_epoch", "validation_score")
    return {
        "task": cell.task,
        "command": train_command(name, params),
        **parts,
        "settings": {key: value for key, value in parts["settings"].items() if key != "seed"},
        "runs": [{key: fact.get(key) for key in kept} for fact in facts],
    }

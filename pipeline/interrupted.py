"""Where the checkpoints of a run lie, and whether those of an interrupted one still fit."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dgmp.checkpoints import epoch_of
from pipeline.identity import Identity, differences
from pipeline.launch import is_main
from pipeline.params import Params
from pipeline.run import Run

log = logging.getLogger(__name__)

OWNER = "run.json"


def checkpoint_folder(params: Params, run: Run, identity: Identity) -> Path:
    """The folder for a run's checkpoints; says whether training resumes or starts afresh.

    Checkpoints of the same cell and seed that were made with other settings, data, code,
    libraries or device are left where they are, so that undoing the change goes on from them;
    they are removed when the run is finished.
    """
    folder = _root(params) / identity.fingerprint
    name = f"{run.name} seed {run.seed}"
    newest = _newest(folder)
    if newest is not None:
        log.info("%s: goes on from %s", name, newest)
    elif is_main():
        for other, owner in _of_run(params, run):
            kept = _newest(other)
            if kept is not None:
                changes = "; ".join(differences(owner["identity"], identity.parts))
                log.warning(
                    "%s: starts afresh, because its checkpoint %s was made with other %s",
                    name,
                    kept,
                    changes,
                )
    if is_main():
        folder.mkdir(parents=True, exist_ok=True)
        owner = _owner(run) | {"identity": identity.parts}
        part = folder / f".{OWNER}.part"
        part.write_text(json.dumps(owner), encoding="utf-8")
        os.replace(part, folder / OWNER)
    return folder


def remove_checkpoints(params: Params, run: Run) -> None:
    """Remove all checkpoints of a cell and seed."""
    for folder, _ in list(_of_run(params, run)):
        shutil.rmtree(folder)


def _root(params: Params) -> Path:
    return params.data / "checkpoints"


def _owner(run: Run) -> dict[str, Any]:
    return {"run": run.name, "seed": run.seed}


def _of_run(params: Params, run: Run) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Folders of checkpoints of the same cell and seed, with what lies in them."""
    for file in sorted(_root(params).glob(f"*/{OWNER}")):
        try:
            owner = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:  # of another run, which has been finished meanwhile
            continue
        if _owner(run).items() <= owner.items():
            yield file.parent, owner


def _newest(folder: Path) -> Path | None:
    return max(folder.glob("epoch-*"), key=epoch_of, default=None)

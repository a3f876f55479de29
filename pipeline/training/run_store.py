"""Where the checkpoints of a run lie, and whether those of an interrupted one still fit."""

from __future__ import annotations

import glob
import json
import logging
import os
import shutil
from pathlib import Path

from dgmp.learning.checkpoints import epoch_of
from pipeline.settings.params import RUNS, Params
from pipeline.shared.launcher import is_main
from pipeline.training.fingerprint import Identity, differences
from pipeline.training.run import Run

log = logging.getLogger(__name__)

IDENTITY = "identity.json"


def checkpoint_folder(params: Params, run: Run, identity: Identity) -> Path:
    """The folder for a run's checkpoints; says whether training resumes or starts afresh.

    Checkpoints of the same cell and seed that were made with other settings, data, code,
    libraries or device are left where they are, so that undoing the change goes on from them;
    they are removed when the run is finished.
    """
    folder = _folder(params, run, identity.fingerprint)
    name = f"{run.name} seed {run.seed}"
    newest = _newest(folder)
    if newest is not None:
        log.info("%s: goes on from %s", name, newest)
    elif is_main():
        for kept in filter(None, map(_newest, _others(folder))):
            made_with = json.loads((kept.parent / IDENTITY).read_text(encoding="utf-8"))
            log.warning(
                "%s: starts afresh, because its checkpoint %s was made with other %s",
                name,
                kept,
                "; ".join(differences(made_with, identity.parts)),
            )
    if is_main():
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{IDENTITY}.part"
        part.write_text(json.dumps(identity.parts), encoding="utf-8")
        os.replace(part, folder / IDENTITY)
    return folder


def remove_checkpoints(params: Params, run: Run, identity: Identity) -> None:
    """Remove the checkpoints of a finished run, and those of the same cell and seed before it."""
    own = _folder(params, run, identity.fingerprint)
    for folder in (own, *_others(own)):
        shutil.rmtree(folder)


def _folder(params: Params, run: Run, fingerprint: str) -> Path:
    return params.runs / "checkpoints" / f"{run.name}-seed{run.seed}-{fingerprint}"


def _others(own: Path) -> list[Path]:
    """Folders of the same cell and seed; none in a shared folder, where they may be in use."""
    if os.environ.get(RUNS):
        return []
    start, _, fingerprint = own.name.rpartition("-")
    pattern = f"{glob.escape(start)}-{'?' * len(fingerprint)}"
    return [folder for folder in sorted(own.parent.glob(pattern)) if folder != own]


def _newest(folder: Path) -> Path | None:
    return max(folder.glob("epoch-*"), key=epoch_of, default=None)

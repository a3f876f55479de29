"""The store of runs: a run is found by the fingerprint of what it is made from.

DVC empties a stage's outputs before it runs it. Runs therefore lie beside them, in
data/<profile>/runs/<fingerprint>/, or in <DGMP_RUNS>/<profile>/runs/:

    fingerprint.json    parts of the fingerprint, name and seed of the run that wrote it last
    epoch-<n>/          the newest checkpoint, until the run is finished
    result/             the finished run; the folder gets this name when it is whole

A process may be killed at any moment, and several may train equal runs at the same time: they
share checkpoints, and the first result stays.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from dgmp.files import whole_file
from dgmp.learning.checkpoints import checkpoints_in
from pipeline.shared.launcher import is_main
from pipeline.shared.provenance import RESULT, RUNS, digest_of, store_of
from pipeline.shared.settings.params import Params
from pipeline.training.compute import kind_of_device
from pipeline.training.run import Run

log = logging.getLogger(__name__)

FINGERPRINT = "fingerprint.json"
CODE = (
    "dgmp/images",
    "dgmp/learning",
    "dgmp/metrics",
    "dgmp/pooling",
    "pipeline/inputs",
    "pipeline/training",
)
PASSIVE = (
    "pipeline/training/cell.py",
    "pipeline/training/page_vectors.py",
    "pipeline/training/run_store.py",
)
"""What starts, finds, copies and reads runs changes no result."""
LIBRARIES = (
    "accelerate",
    "numpy",
    "opencv-python-headless",
    "pytorch-metric-learning",
    "torch",
    "torchvision",
)


@dataclass(frozen=True)
class StoredRun:
    """A run and its folder in the store.

    Attributes:
        run: Cell and seed.
        parts: All that makes the result, as in JSON.
        store: Folder of all runs.
    """

    run: Run
    parts: dict[str, Any]
    store: Path

    @property
    def fingerprint(self) -> str:
        """The name of the result; that of the run and the number of GPUs change nothing."""
        text = json.dumps(self.parts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def folder(self) -> Path:
        """The folder of the run, also of its checkpoints."""
        return self.store / self.fingerprint

    @property
    def result(self) -> Path:
        """The folder of the finished run."""
        return self.folder / RESULT

    @property
    def finished(self) -> bool:
        """Whether the result is there."""
        return self.result.is_dir()

    def begin(self) -> None:
        """Make the folder, and say whether training goes on or starts afresh.

        Checkpoints of the same name and seed that were made with other settings, data, code,
        libraries or device are left where they are, so that undoing the change goes on from them.
        """
        newest = next(iter(checkpoints_in(self.folder)), None)
        if newest is not None:
            log.info("%s seed %d: goes on from %s", self.run.name, self.run.seed, newest)
        if not is_main():
            return
        for folder, parts in self._unfinished_others() if newest is None else ():
            for kept in checkpoints_in(folder)[:1]:
                log.warning(
                    "%s seed %d: starts afresh, because its checkpoint %s was made with other %s",
                    self.run.name,
                    self.run.seed,
                    kept,
                    "; ".join(differences(parts, self.parts)),
                )
        content = {"run": self.run.name, "seed": self.run.seed, "parts": self.parts}
        with whole_file(self.folder / FINGERPRINT) as part:
            part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    def finish(self, write: Callable[[Path], None]) -> None:
        """Keep the result, and remove the checkpoints of the same name and seed.

        Args:
            write: Writes the result into an empty folder.

        Raises:
            OSError: it could not be written; the checkpoint after the last epoch is kept.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryDirectory(
                dir=self.folder, prefix=f".{RESULT}-", ignore_cleanup_errors=True
            ) as temporary:
                part = Path(temporary) / RESULT
                part.mkdir()
                write(part)
                os.replace(part, self.result)
        except (OSError, SafetensorError) as error:
            if not self.finished:  # by an equal run, which also removes what is half-written
                raise OSError(
                    f"{self.run.name} seed {self.run.seed}: the result cannot be written "
                    f"({error}): make room on the disk and run again; what is trained is kept"
                ) from None
        remove_checkpoints(self.folder)
        for folder, _ in self._unfinished_others():
            remove_checkpoints(folder)
            shutil.rmtree(folder, ignore_errors=True)

    def _unfinished_others(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Folder and parts of each; none in a shared store, where they may be in use."""
        if os.environ.get(RUNS):
            return
        for file in sorted(self.store.glob(f"*/{FINGERPRINT}")):
            try:
                content = json.loads(file.read_text(encoding="utf-8"))
                same = (content["run"], content["seed"]) == (self.run.name, self.run.seed)
            except (OSError, ValueError, KeyError, TypeError):  # removed meanwhile, or damaged
                continue
            if same and file.parent != self.folder and not (file.parent / RESULT).is_dir():
                yield file.parent, content["parts"]


def remove_checkpoints(folder: Path) -> None:
    """Leave fingerprint.json and the result, if there is one, in the folder of a run."""
    for inner in folder.iterdir():
        if inner.is_dir() and inner.name != RESULT:
            shutil.rmtree(inner, ignore_errors=True)


def digests(params: Params, data: Sequence[Path]) -> dict[str, str]:
    """SHA-256 of what a task is trained with: its packed data with the starting weights, and code.

    Args:
        params: All settings.
        data: Files that the runs read, or that tell what is in them.
    """
    weights = params.data / "weights" / "backbone.safetensors"
    code = sorted(file for folder in CODE for file in Path(folder).rglob("*.py"))
    return {
        "data": digest_of([*data, weights]),
        "code": digest_of([file for file in code if file.as_posix() not in PASSIVE]),
    }


def stored_run(params: Params, run: Run, digests: Mapping[str, str]) -> StoredRun:
    """A run in the store, whether it is there yet or not.

    Args:
        params: All settings.
        run: Cell and seed.
        digests: Of data and code.
    """
    profile = params.active
    settings = {
        "cell": run.cell.model_dump(),
        "pooling": {
            "name": run.pooling.name,
            "value": run.pooling.value,
            "multiplier": run.pooling.multiplier,
            "relative": run.pooling.relative,
        },
        "seed": run.seed,
        "trained": run.trained,
        "backbone": profile.backbone.model_dump(),
        "compute": params.compute.model_dump(),
        "schedule": profile.schedule(run.cell.task).model_dump(exclude={"seeds"}),
    }
    parts = {
        # Written and read once, so that tuples become lists, as in a file.
        "settings": json.loads(json.dumps(settings)),
        **digests,
        "libraries": {name: version(name) for name in LIBRARIES},
        "device": kind_of_device(),
    }
    return StoredRun(run, parts, store_of(params))


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What differs between the parts of two fingerprints, by dotted names.

    >>> differences({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 5, "c": 2}, "d": 4})
    ['a.b (1, now 5)', 'd (3, now 4)']
    """
    found: list[str] = []
    for key in sorted(old.keys() | new.keys()):
        before, after, name = old.get(key), new.get(key), f"{prefix}{key}"
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += differences(before, after, f"{name}.")
        elif before != after and prefix == "" and key in ("data", "code"):
            found.append(key)  # a digest tells nothing
        elif before != after:
            found.append(f"{name} ({before}, now {after})")
    return found

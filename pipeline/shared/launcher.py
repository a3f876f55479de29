"""Starting a stage in several processes: DVC's command stays, the environment names a launcher."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable

LAUNCHER = "DGMP_LAUNCH"


def launched(main: Callable[[], None]) -> None:
    """Call a stage's `main`, under the launcher in DGMP_LAUNCH if there is one.

    With `DGMP_LAUNCH="torchrun --nproc-per-node 8"`, this process becomes
    `torchrun --nproc-per-node 8 -m pipeline.<stage> <arguments>`.

    Raises:
        ValueError: the launcher is not installed.
    """
    launcher = shlex.split(os.environ.get(LAUNCHER, ""))
    if launcher:
        spec = sys.modules["__main__"].__spec__
        assert spec is not None  # stages are started by python -m
        become([*launcher, "-m", spec.name, *sys.argv[1:]])
    main()
    _part()


def become(command: list[str]) -> None:
    """Replace this process by a command, which is not told of the launcher again."""
    environment = {key: value for key, value in os.environ.items() if key != LAUNCHER}
    try:
        os.execvpe(command[0], command, environment)
    except FileNotFoundError:
        raise ValueError(
            f"{LAUNCHER}: there is no program {command[0]!r}: give a command such as "
            "'torchrun --nproc-per-node 8', or unset it for a single process"
        ) from None


def is_main() -> bool:
    """Whether this process writes the files: the only one, or the first of several."""
    return os.environ.get("RANK", "0") == "0"


def _part() -> None:
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()

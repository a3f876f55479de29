"""Stage trunk: activations of the frozen blocks, `python -m pipeline.trunk <task>`."""

import json
import logging
import sys
from typing import get_args

from dgmp.files import whole_folder
from pipeline.inputs.trunk import write_activations
from pipeline.shared.provenance import digest_of
from pipeline.shared.settings.base import Task
from pipeline.shared.settings.params import ParamsError, load_params
from pipeline.shared.stage import run

log = logging.getLogger(__name__)


def main() -> None:
    """Write data/<profile>/trunk/<task>: activations by split, or a note that there is no trunk."""
    params = load_params()
    tasks: tuple[Task, ...] = get_args(Task)
    task = next((task for task in tasks if sys.argv[1:] == [task]), None)
    if task is None:
        raise ParamsError(f"the task must be one of {', '.join(tasks)}, got {sys.argv[1:]}")
    trainable = params.active.schedule(task).trainable
    with whole_folder(params.data / "trunk" / task) as folder:
        summary: dict[str, object] = {"trainable": trainable}
        if trainable is not None:
            size = write_activations(params, task, folder)
            log.info("trunk %s: %.0f MB of activations", task, size / 1e6)
            summary["sha256"] = digest_of(sorted(folder.iterdir()))
        text = json.dumps(summary, indent=2) + "\n"
        (folder / "summary.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main)

"""Stage encode: one system's page descriptors and distances, `python -m pipeline.encode <system>`.

Reads what `input` of the system names below data/<profile>/. Writes to
data/<profile>/encode/<system>/: seed<k>.npz, distances of the test pages after each step of the
chain; <task>-seed<k>.npz, script types by a linear SVM; encoder/, that of the first seed; and
seconds.json.
"""

import sys

from dgmp.files import whole_folder
from pipeline.shared.settings.params import ParamsError, load_params
from pipeline.shared.settings.systems import LocalSystem
from pipeline.shared.stage import run
from pipeline.systems.encoding import encode_system
from pipeline.systems.script_types import classify_scripts


def main() -> None:
    params = load_params()
    name = sys.argv[1] if len(sys.argv) == 2 else ""
    if name not in params.systems:
        raise ParamsError(f"system {name!r} is not one of systems: {', '.join(params.systems)}")
    system = params.systems[name]
    with whole_folder(params.data / "encode" / name) as folder:
        encode_system(params, name, folder)
        if isinstance(system, LocalSystem) and system.script_c is not None:
            classify_scripts(params, name, system, folder)


if __name__ == "__main__":
    run(main)

"""Running a stage from the command line: logging, and messages instead of tracebacks."""

import logging
import os
import sys
from collections.abc import Callable

from pipeline.shared.launcher import is_main


def run(main: Callable[[], None]) -> None:
    """Call a stage's `main`; a ValueError or OSError ends as its message and exit code 1.

    Set the environment variable DGMP_TRACEBACK=1 to see the traceback as well.
    """
    # Of several processes that train together the main one tells what is done.
    level = logging.INFO if is_main() else logging.WARNING
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
    try:
        main()
    except (ValueError, OSError) as error:
        if os.environ.get("DGMP_TRACEBACK"):
            raise
        if isinstance(error, FileNotFoundError) and error.filename:
            sys.exit(f"error: {error.filename} is missing: if a stage writes it, run `dvc repro`")
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted: outputs of this stage were not replaced")

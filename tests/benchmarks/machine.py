"""What a measurement was made on."""

import os
import platform
from pathlib import Path


def processor() -> str:
    """The processor's model, as far as the system tells it, and the number of cores."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    facts = {key.strip(): value.strip() for key, _, value in (s.partition(":") for s in lines)}
    name = facts.get("model name", platform.processor())
    if "cpu family" in facts:
        name += f" (family {facts['cpu family']}, model {facts['model']})"
    return f"{name}, {os.cpu_count()} cores"

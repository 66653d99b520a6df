"""What figures were made on, as their cards say it."""

from __future__ import annotations

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def cpu_name() -> str:
    """The CPU's name, with family and model where Linux tells them: virtual machines shorten the name alone."""
    lines = CPUINFO.read_text().split("\n\n")[0].splitlines() if CPUINFO.exists() else []
    said = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = said.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in said and "model" in said:
        return f"{name} (family {said['cpu family']}, model {said['model']})"
    return name

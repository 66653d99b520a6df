"""Where the clock of a recording begins when it is shown."""

from __future__ import annotations

SETTLED_US = 1_000_000


def clock_start(first_us: int) -> int:
    """0 for a recording that begins within its first second; otherwise, as with Unix time, its first event."""
    return 0 if 0 <= first_us < SETTLED_US else first_us

"""What was done to a recording, added to its provenance: `history.1`, `history.2`, ... , older keys as they were."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from event_tools.provenance import UNPRINTABLE, Plain, plain_provenance

STEP = "history."
MAX_NAME = 200


def with_step(
    kept: Mapping[str, Plain], command: str, source: str, options: Mapping[str, str], out: Path
) -> dict[str, Plain]:
    """Provenance with one more step: command, options, the source's name and this package's version.

    Raises EventFileError, about `out`, for more than files can hold.
    """
    from event_tools import __version__

    numbers = [int(key[len(STEP) :]) for key in kept if key.startswith(STEP) and key[len(STEP) :].isdecimal()]
    given = "".join(f" {name}={value}" for name, value in sorted(options.items()))
    text = f"{command} {source[-MAX_NAME:]}{given} (event_tools {__version__})"
    return plain_provenance({**kept, f"{STEP}{max(numbers, default=0) + 1}": UNPRINTABLE.sub("?", text)}, out)

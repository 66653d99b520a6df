"""Where a recording comes from, as every format that keeps it can hold it: text, numbers and truth values by key."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from event_tools.errors import EventFileError

Plain = str | int | float | bool
KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
MAX_TEXT = 60_000  # bytes of all provenance; one HDF5 attribute ends at 64 KiB


def plain_provenance(values: Mapping[str, Any], path: Path) -> dict[str, Plain]:
    """Provenance as every format can hold it; raises EventFileError for other keys, types, sizes or characters."""
    plain: dict[str, Plain] = {}
    for key, value in values.items():
        value = value.item() if isinstance(value, np.generic) else value
        if not isinstance(key, str) or not KEY.fullmatch(key):
            raise EventFileError(path, f"expected provenance keys of letters, digits and _.- (64 at most), got {key!r}")
        if not isinstance(value, Plain):
            raise EventFileError(
                path, f"expected provenance {key} as text, a number or a truth value, got {type(value).__name__}"
            )
        if isinstance(value, str) and UNPRINTABLE.search(value):
            raise EventFileError(path, f"expected provenance {key} without control characters, got {value[:40]!r}")
        if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
            raise EventFileError(path, f"expected provenance {key} to fit 64 bits, got {value}")
        if isinstance(value, float) and not math.isfinite(value):
            raise EventFileError(path, f"expected provenance {key} to be finite, got {value}")
        plain[key] = value
    size = sum(len(value.encode()) for value in plain.values() if isinstance(value, str))
    if size > MAX_TEXT:
        raise EventFileError(path, f"expected provenance of at most {MAX_TEXT} bytes, got {size}; shorten it")
    return plain

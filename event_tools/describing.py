"""What a recording holds, found by walking it once in pieces: counts, times, rates, other streams, provenance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from event_tools.formats.reader import Reader, Reading
from event_tools.provenance import Plain
from event_tools.settling import Check, known_size

PEAK_US = 10_000


@dataclass(frozen=True)
class FileInfo:
    """What a file holds: counts over the whole file, times in microseconds, streams by name, provenance.

    rate_hz: events per second between the first and the last; peak_rate_hz: in the busiest 10 ms, counted from t = 0.
    """

    path: str
    format: str
    version: str
    sensor_size: tuple[int, int] | None
    events: int
    first_us: int | None
    last_us: int | None
    duration_us: int
    on_share: float | None
    rate_hz: float | None
    peak_rate_hz: float | None
    streams: dict[str, int]
    provenance: dict[str, Plain]


def describe(
    name: str, reader: Reader, path: Path, reading: Reading, set_size: tuple[int, int] | None = None
) -> FileInfo:
    """The description of an opened recording of format `name`; order is not looked at. Raises EventFileError."""
    check = Check(path, None, sorted=False)
    first, last, on, peak, counting = None, None, 0, 0, (None, 0)
    for part in reader.chunks():
        check(part)
        if not len(part):
            continue
        low, high = int(part.t.min()), int(part.t.max())
        first, last = low if first is None else min(first, low), high if last is None else max(last, high)
        on += int(np.count_nonzero(part.p))
        peak, counting = _busiest(part.t, peak, counting)
    size = known_size(reader, reading, set_size)
    default = reader.default_size
    if size is None and default and check.largest[0] < default[0] and check.largest[1] < default[1]:
        size = default
    n = check.seen
    duration = last - first if first is not None and last is not None else 0
    return FileInfo(
        path=str(path),
        format=name,
        version=reader.version,
        sensor_size=size,
        events=n,
        first_us=first,
        last_us=last,
        duration_us=duration,
        on_share=on / n if n else None,
        rate_hz=n / duration * 1e6 if duration else None,
        peak_rate_hz=peak / PEAK_US * 1e6 if n else None,
        streams=dict(reader.streams),
        provenance=dict(reader.provenance),
    )


def _busiest(
    t: np.ndarray[Any, Any], peak: int, counting: tuple[int | None, int]
) -> tuple[int, tuple[int | None, int]]:
    """The largest count of PEAK_US so far, and the bin and count that the next piece may go on with."""
    bins = t // PEAK_US
    starts = np.flatnonzero(np.diff(bins, prepend=bins[0] - 1))
    counts = np.diff(starts, append=len(bins))
    if counting[0] == int(bins[0]):
        counts[0] += counting[1]
    return max(peak, int(counts.max())), (int(bins[-1]), int(counts[-1]))

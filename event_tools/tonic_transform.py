"""For tonic's data sets and `Compose`: a structured array in, counts (T, C, H, W) out; without rows (T, C, W).

    tonic.datasets.NMNIST("data", transform=ToFrames((34, 34, 2), steps=10))

tonic is not needed. The array is not changed, and equal arguments make equal transforms, which its caches compare.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.binning import to_frames
from event_tools.events import Events
from event_tools.formats.fields import NAMES
from event_tools.interop import from_tonic
from event_tools.windows import tonic_frames


@dataclass(frozen=True)
class ToFrames:
    """Bins of `event_tools.to_frames`, which lose nothing.

    sensor_size: (width, height) or tonic's (width, height, polarities), 1 polarity for sets that have one; steps, by,
    edges: as in `to_frames`.
    """

    sensor_size: tuple[int, ...]
    steps: int | None = None
    by: str = "time"
    edges: tuple[int, ...] | None = None

    def __call__(self, events: NDArray[np.void]) -> NDArray[np.int32]:
        recording = from_tonic(events, self.sensor_size)
        counts = to_frames(recording, self.steps, self.by, self.edges).counts
        return _shaped(counts, recording, self.sensor_size, events)


@dataclass(frozen=True)
class TonicFrames:
    """tonic's own windows, as `tonic.transforms.ToFrame` with the same arguments; see `event_tools.windows`.

    Counts are int32 where tonic's are int16 and wrap, and a recording without events gives (1 or n, C, H, W).
    """

    sensor_size: tuple[int, ...]
    time_window: float | None = None
    event_count: int | None = None
    n_time_bins: int | None = None
    n_event_bins: int | None = None
    overlap: float = 0
    include_incomplete: bool = False
    start_time: float | None = None
    end_time: float | None = None

    def __call__(self, events: NDArray[np.void]) -> NDArray[np.int32]:
        rules: dict[str, Any] = {name: value for name, value in vars(self).items() if name != "sensor_size"}
        recording = from_tonic(events, self.sensor_size)
        return _shaped(tonic_frames(recording, **rules), recording, self.sensor_size, events)


def _shaped(
    counts: NDArray[np.int32], recording: Events, sensor_size: tuple[int, ...], array: NDArray[np.void]
) -> NDArray[np.int32]:
    """One channel where the sensor has one polarity, no rows where the array has none; ValueError for two."""
    if len(sensor_size) > 2 and sensor_size[2] == 1:
        if len(recording) and recording.p.min() != recording.p.max():
            raise ValueError(f"expected events of one polarity for sensor_size={sensor_size}, got both; merge them")
        counts = counts.sum(1, keepdims=True, dtype=np.int32)
    return counts if set(NAMES["y"]) & set(array.dtype.names or ()) else counts[:, :, 0]

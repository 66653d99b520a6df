"""Filters that look back in time: an event stays for what its pixel or its neighbours did before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from event_tools.events import Events
from event_tools.filters.checks import one_of, rows_and_columns, whole
from event_tools.filters.memory import Memory

MODES = ("published", "corrected")
CLOCKS = ("every", "kept")
NEVER, LONGEST_US = -(1 << 63), (1 << 63) - 1


def denoise(
    events: Events,
    window_us: int = 10_000,
    mode: str = "corrected",
    neighbours: int = 4,
    memory: Memory | None = None,
) -> Events:
    """Keep an event if one of its neighbours fired less than window_us microseconds before.

    neighbours: 4, or 8 with the diagonals (the background activity filter of Delbruck 2008). published: as arXiv
    2405.14474's loader and tonic, whose memory begins at window_us, so that during the first window_us every event with
    a neighbour inside the sensor passes; corrected: the memory begins empty. memory: see `Memory`. Raises ValueError.
    """
    from event_tools.kernels.support import denoise_mask

    one_of("mode", mode, MODES)
    window_us = min(whole("window_us", window_us, 1), LONGEST_US)
    if neighbours not in (4, 8) or (mode == "published" and neighbours != 4):
        raise ValueError(f"expected neighbours to be 4, or 8 with mode='corrected', got {neighbours} with {mode!r}")
    memory = memory or Memory()
    fresh = memory.pixels is None
    height, width = rows_and_columns(events.sensor_size)
    until = memory.of_pixels((height + 2, width + 2), NEVER)
    if fresh and mode == "published":
        until[1:-1, 1:-1] = window_us
    mask: NDArray[np.bool_] = denoise_mask(events.t, events.x, events.y, until, window_us, neighbours == 8)
    return events[mask]


def refractory(events: Events, period_us: int, after: str = "every", memory: Memory | None = None) -> Events:
    """Keep an event if its pixel, whatever the polarity, was silent for period_us microseconds before.

    after: "every" counts the silence from every event of the pixel, dropped or not, as jAER, dv-processing and tonic
    do, so a train faster than the period leaves its first event alone; "kept" counts it from the last event that
    stayed, as a pixel that is blind does. Either way what stays is period_us apart at least. memory: see `Memory`.
    Raises ValueError.
    """
    from event_tools.kernels.filters import refractory_mask

    one_of("after", after, CLOCKS)
    period_us = min(whole("period_us", period_us, 1), LONGEST_US)
    last = (memory or Memory()).of_pixels(rows_and_columns(events.sensor_size), NEVER)
    mask: NDArray[np.bool_] = refractory_mask(events.t, events.x, events.y, last, period_us, after == "every")
    return events[mask]

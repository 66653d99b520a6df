"""Filters that take a recording and return a smaller one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from event_tools.events import Events
from event_tools.kernels.support import denoise_mask

MODES = ("published", "corrected")


def denoise(events: Events, window_us: int = 10_000, mode: str = "corrected") -> Events:
    """Keep an event if one of its four neighbours fired within the last window_us microseconds.

    published: as arXiv 2405.14474's loader, whose memory begins at window_us, so that during the first window_us every
    event with a neighbour inside the sensor passes; corrected: the memory begins empty. Raises ValueError.
    """
    if mode not in MODES:
        raise ValueError(f"expected mode to be {' or '.join(MODES)}, got {mode!r}")
    if window_us <= 0:
        raise ValueError(f"expected window_us above 0, got {window_us}")
    width, height = events.sensor_size
    mask: NDArray[np.bool_] = denoise_mask(events.t, events.x, events.y, width, height, window_us, mode == "published")
    return events[mask]


def crop(events: Events, left: int, top: int, width: int, height: int) -> Events:
    """The events of a window, moved to its corner; raises ValueError for a window outside the sensor."""
    sensor = events.sensor_size
    if left < 0 or top < 0 or width < 1 or height < 1 or left + width > sensor[0] or top + height > sensor[1]:
        raise ValueError(f"expected a window inside {sensor[0]}x{sensor[1]}, got {width}x{height} at ({left}, {top})")
    keep = (events.x >= left) & (events.x < left + width) & (events.y >= top) & (events.y < top + height)
    return Events(events.t[keep], events.x[keep] - left, events.y[keep] - top, events.p[keep], (width, height))

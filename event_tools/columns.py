"""A recording's columns for compiled loops, which follow any coordinate blindly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from event_tools.events import Events


def checked_columns(
    events: Events,
) -> tuple[NDArray[np.int64], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint8]]:
    """t, x, y, p without gaps in memory; raises ValueError where one was moved off the sensor since it was checked."""
    t, x, y, p = (np.ascontiguousarray(column) for column in (events.t, events.x, events.y, events.p))
    width, height = events.sensor_size
    if len(t) and (x.max() >= width or y.max() >= height or p.max() > 1):
        raise ValueError("expected events within the sensor, they have changed since; make the Events anew")
    return t, x, y, p

"""What augmentations do with times: the span they may use, and the order they must be in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from event_tools.events import Events

LONGEST_US = 1 << 61


def span_us(events: Events) -> int:
    """Microseconds from the first event to the last; raises ValueError where calculating with it would overflow."""
    span = int(events.t[-1]) - int(events.t[0]) if len(events) else 0
    if span > LONGEST_US:
        raise ValueError(f"expected a recording of at most 2^61 us, got {span} us; cut it with time_slice")
    return span


def in_order(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    sensor_size: tuple[int, int],
) -> Events:
    """A recording of events in any order; equal times stay in the order given."""
    order = np.argsort(t, kind="stable")
    return Events.unchecked(t[order], x[order], y[order], p[order], sensor_size)

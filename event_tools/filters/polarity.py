"""Filters of polarity: ON is 1, OFF is 0."""

from __future__ import annotations

import numpy as np

from event_tools.events import Events
from event_tools.filters.checks import whole


def flip_polarity(events: Events) -> Events:
    """ON becomes OFF and OFF becomes ON."""
    return Events.unchecked(events.t, events.x, events.y, events.p ^ np.uint8(1), events.sensor_size)


def keep_polarity(events: Events, polarity: int) -> Events:
    """The events of one polarity, 1 = ON or 0 = OFF; raises ValueError."""
    return events[events.p == whole("polarity", polarity, 0, 1)]

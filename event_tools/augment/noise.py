"""Events that no scene made."""

from __future__ import annotations

import numpy as np

from event_tools.augment.draws import below, generator
from event_tools.augment.ordering import in_order, span_us
from event_tools.events import Events
from event_tools.filters.checks import whole


def uniform_noise(events: Events, count: int, seed: int) -> Events:
    """`count` events more, uniform over the sensor, both polarities and the time from the first event to the last.

    At equal times the recording's own events come first. A recording without events has no span, and stays as it is.
    Raises ValueError.
    """
    count, span = whole("count", count, 0), span_us(events)
    rng = generator(seed, "uniform_noise")
    if not len(events):
        return events
    width, height = events.sensor_size
    t = events.t[:1] + below(rng.random(count), span + 1)
    x, y, p = (below(rng.random(count), size) for size in (width, height, 2))
    return in_order(
        np.concatenate((events.t, t)),
        np.concatenate((events.x, x.astype(np.uint16))),
        np.concatenate((events.y, y.astype(np.uint16))),
        np.concatenate((events.p, p.astype(np.uint8))),
        events.sensor_size,
    )

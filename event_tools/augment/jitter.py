"""Events moved a little, in time or in space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from event_tools.augment.draws import generator, normal
from event_tools.augment.ordering import in_order, span_us
from event_tools.events import Events
from event_tools.filters.checks import one_of, real

KINDS = ("gaussian", "uniform")
LARGEST = 1 << 52  # of a distance, microseconds; beyond it floats are not whole numbers


def time_jitter(events: Events, distance_us: float, seed: int, kind: str = "gaussian") -> Events:
    """Every time moved at random and rounded; then sorted, equal times in the order they had.

    distance_us: the standard deviation (gaussian), or the furthest either way (uniform). A time that would leave the
    span between the recording's first and last event is reflected at its end: none is lost, and times that a format
    cannot hold do not arise. Raises ValueError.
    """
    distance_us, span = real("distance_us", distance_us, 0, LARGEST), span_us(events)
    moves = _moves(distance_us, len(events), seed, "time_jitter", kind)
    if span == 0:
        return events
    since = (events.t - events.t[:1] + moves) % (2 * span)
    t = events.t[:1] + np.where(since > span, 2 * span - since, since)
    return in_order(t, events.x, events.y, events.p, events.sensor_size)


def space_jitter(events: Events, distance_px: float, seed: int, kind: str = "gaussian") -> Events:
    """Every event moved at random in x and y, each rounded to whole pixels; those that leave the sensor are dropped.

    distance_px: the standard deviation (gaussian), or the furthest either way (uniform). Raises ValueError.
    """
    distance_px = real("distance_px", distance_px, 0, LARGEST)
    moves = _moves(distance_px, 2 * len(events), seed, "space_jitter", kind)
    x, y = events.x + moves[: len(events)], events.y + moves[len(events) :]
    width, height = events.sensor_size
    keep = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return Events.unchecked(
        events.t[keep], x[keep].astype(np.uint16), y[keep].astype(np.uint16), events.p[keep], events.sensor_size
    )


def _moves(distance: float, count: int, seed: int, name: str, kind: str) -> NDArray[np.int64]:
    rng = generator(seed, name)
    draws = normal(rng, count) if one_of("kind", kind, KINDS) == "gaussian" else 2 * rng.random(count) - 1
    return np.rint(draws * distance).astype(np.int64)

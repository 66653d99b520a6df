"""Filters of time. A slice leaves times as they are; what moves them is a function of its own that says so."""

from __future__ import annotations

import numpy as np

from event_tools.events import Events
from event_tools.filters.checks import real, whole
from event_tools.filters.memory import Memory
from event_tools.filters.polarity import flip_polarity

LEAST_US, MOST_US = -(1 << 63), (1 << 63) - 1
EXACT_US = 1 << 53  # distances up to here are exact as float64


def time_slice(events: Events, start_us: int | None = None, stop_us: int | None = None) -> Events:
    """The events with start_us <= t < stop_us, at the times they have; follow with `rebase` to begin at 0."""
    start_us = None if start_us is None else whole("start_us", start_us)
    stop_us = None if stop_us is None else whole("stop_us", stop_us)
    if start_us is not None and stop_us is not None and start_us > stop_us:
        raise ValueError(f"expected start_us up to stop_us, got {start_us} and {stop_us}")
    low = 0 if start_us is None else _place(events, start_us)
    high = len(events) if stop_us is None else _place(events, stop_us)
    return events[low:high]


def shift_time(events: Events, offset_us: int) -> Events:
    """All times moved by offset_us; raises ValueError where one would leave 64 bits."""
    offset_us = whole("offset_us", offset_us)
    if not len(events):
        return events
    first, last = int(events.t[0]) + offset_us, int(events.t[-1]) + offset_us
    if first < LEAST_US or last > MOST_US:
        raise ValueError(f"expected times that fit 64 bits after the shift by {offset_us} us, got {first} to {last}")
    if not LEAST_US <= offset_us <= MOST_US:  # an offset wider than the times themselves goes in two steps
        half = offset_us // 2
        return shift_time(shift_time(events, half), offset_us - half)
    return Events.unchecked(events.t + np.int64(offset_us), events.x, events.y, events.p, events.sensor_size)


def rebase(events: Events, start_us: int = 0, memory: Memory | None = None) -> Events:
    """All times moved alike, so that the first event is at start_us. memory: see `Memory`. Raises ValueError."""
    memory, start_us = memory or Memory(), whole("start_us", start_us)
    if not len(events):
        return events
    if memory.first_us is None:
        memory.first_us = int(events.t[0])
    return shift_time(events, start_us - memory.first_us)


def scale_time(events: Events, factor: float, origin_us: int = 0) -> Events:
    """Times at `factor` times their distance from origin_us, rounded to whole microseconds (halves to even).

    Raises ValueError for a factor that is not above 0, for times over 2^53 us from the origin, and for results that
    leave 64 bits.
    """
    factor, origin_us = real("factor", factor, above=True), whole("origin_us", origin_us)
    if not len(events):
        return events
    ends = [int(events.t[i]) - origin_us for i in (0, -1)]
    if max(map(abs, ends)) > EXACT_US:
        raise ValueError(
            f"expected times within 2^53 us of origin_us={origin_us}, got {events.t[0]} to {events.t[-1]}; "
            f"give an origin near them"
        )
    results = [origin_us + round(end * factor) for end in ends]
    if min(results) < LEAST_US or max(results) > MOST_US:
        raise ValueError(f"expected times that fit 64 bits, got {results[0]} to {results[1]}; give a smaller factor")
    t = np.rint((events.t - np.int64(origin_us)) * factor).astype(np.int64) + np.int64(origin_us)
    return Events.unchecked(t, events.x, events.y, events.p, events.sensor_size)


def reverse_time(events: Events, flip_polarities: bool = True) -> Events:
    """The recording backwards between its own first and last time; what brightened darkens, unless left as it was."""
    t = (events.t[:1] + events.t[-1:] - events.t)[::-1]  # a sum beyond 64 bits wraps, and wraps back
    reverse = Events.unchecked(
        np.ascontiguousarray(t), events.x[::-1].copy(), events.y[::-1].copy(), events.p[::-1].copy(), events.sensor_size
    )
    return flip_polarity(reverse) if flip_polarities else reverse


def _place(events: Events, time_us: int) -> int:
    """How many events are before a time, which may be any integer."""
    if time_us > MOST_US:
        return len(events)
    return int(np.searchsorted(events.t, np.int64(max(time_us, LEAST_US))))

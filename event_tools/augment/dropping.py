"""Events left out: anywhere, in an interval, in a box, or of whole pixels (Gu et al., EventDrop, IJCAI 2021)."""

from __future__ import annotations

import numpy as np

from event_tools.augment.draws import below, generator
from event_tools.augment.ordering import span_us
from event_tools.events import Events
from event_tools.filters.checks import real, rows_and_columns


def drop_events(events: Events, share: float, seed: int) -> Events:
    """Without share * n of the n events (rounded, halves up), any of them equally likely."""
    share = real("share", share, 0, 1)
    draws = generator(seed, "drop_events").random(len(events))
    dropped = int(share * len(events) + 0.5)
    if dropped == len(events):
        return events[:0]
    return events[draws >= np.partition(draws, dropped)[dropped]]


def drop_time(events: Events, share: float, seed: int) -> Events:
    """Without the events of an interval that lasts `share` of the recording and lies anywhere in it."""
    share, span = real("share", share, 0, 1), span_us(events) + 1
    length = round(share * span)
    draws = generator(seed, "drop_time").random(1)
    if not len(events):
        return events
    since = events.t - events.t[:1] - below(draws, span - length + 1)
    return events[(since < 0) | (since >= length)]


def drop_area(events: Events, share: float, seed: int) -> Events:
    """Without the events of a box whose sides are `share` of the sensor's and which lies anywhere in it."""
    share = real("share", share, 0, 1)
    draws = generator(seed, "drop_area").random(2)
    inside = np.ones(len(events), np.bool_)
    for values, side, draw in zip((events.x, events.y), events.sensor_size, draws, strict=True):
        length = round(share * side)
        since = values.astype(np.int64) - int(below(draw[None], side - length + 1)[0])
        inside &= (since >= 0) & (since < length)
    return events[~inside]


def drop_random_pixels(events: Events, share: float, seed: int) -> Events:
    """Without the events of some pixels, each of them chosen with probability `share`."""
    share = real("share", share, 0, 1)
    keep = generator(seed, "drop_random_pixels").random(rows_and_columns(events.sensor_size)) >= share
    return events[keep[events.y, events.x]]


def event_drop(events: Events, seed: int) -> Events:
    """One of the four ways of EventDrop, as likely each, with a share drawn as in its paper.

    The recording as it is, `drop_time` (0.1 to 0.9 in steps of 0.1), `drop_area` (0.05 to 0.25 in steps of 0.05), or
    `drop_events` (0.1 to 0.9).
    """
    way, draw = generator(seed, "event_drop").random(2)
    tenths = (int(below(draw[None], 9)[0]) + 1) / 10
    twentieths = (int(below(draw[None], 5)[0]) + 1) / 20
    match int(below(way[None], 4)[0]):
        case 0:
            return events
        case 1:
            return drop_time(events, tenths, seed)
        case 2:
            return drop_area(events, twentieths, seed)
        case _:
            return drop_events(events, tenths, seed)

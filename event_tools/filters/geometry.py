"""Windows, flips and turns: x, y and the sensor's size change, times and polarities stay."""

from __future__ import annotations

import numpy as np

from event_tools.events import Events
from event_tools.filters.checks import whole


def crop(events: Events, left: int, top: int, width: int, height: int) -> Events:
    """The events of a window, moved to its corner; raises ValueError for a window outside the sensor."""
    sensor = events.sensor_size
    left, top, width, height = map(whole, ("left", "top", "width", "height"), (left, top, width, height))
    if left < 0 or top < 0 or width < 1 or height < 1 or left + width > sensor[0] or top + height > sensor[1]:
        raise ValueError(f"expected a window inside {sensor[0]}x{sensor[1]}, got {width}x{height} at ({left}, {top})")
    # below its corner a coordinate wraps round to beyond any window, so one comparison a side is enough
    x, y = events.x - np.uint16(left), events.y - np.uint16(top)
    keep = (x <= width - 1) & (y <= height - 1)
    return Events.unchecked(events.t[keep], x[keep], y[keep], events.p[keep], (width, height))


def center_crop(events: Events, width: int, height: int) -> Events:
    """The events of the central window, moved to its corner; of two centres the upper left one."""
    sensor = events.sensor_size
    width, height = whole("width", width, 1, sensor[0]), whole("height", height, 1, sensor[1])
    return crop(events, (sensor[0] - width) // 2, (sensor[1] - height) // 2, width, height)


def flip_left_right(events: Events) -> Events:
    """Mirrored, so that left becomes right."""
    x = np.uint16(events.sensor_size[0] - 1) - events.x
    return Events.unchecked(events.t, x, events.y, events.p, events.sensor_size)


def flip_up_down(events: Events) -> Events:
    """Mirrored, so that up becomes down."""
    y = np.uint16(events.sensor_size[1] - 1) - events.y
    return Events.unchecked(events.t, events.x, y, events.p, events.sensor_size)


def rotate(events: Events, quarter_turns: int = 1) -> Events:
    """Turned counter-clockwise by 90 degrees, so many times, as numpy.rot90 turns its frames; the sensor turns too."""
    width, height = events.sensor_size
    turns = whole("quarter_turns", quarter_turns) % 4
    if turns == 0:
        return events
    if turns == 2:
        return flip_up_down(flip_left_right(events))
    if turns == 1:
        return Events.unchecked(events.t, events.y, np.uint16(width - 1) - events.x, events.p, (height, width))
    return Events.unchecked(events.t, np.uint16(height - 1) - events.y, events.x, events.p, (height, width))

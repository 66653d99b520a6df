"""Filters that happen by chance, or with a parameter drawn by chance."""

from __future__ import annotations

from event_tools.augment.draws import below, generator
from event_tools.events import Events
from event_tools.filters.checks import real, whole
from event_tools.filters.geometry import crop, flip_left_right, flip_up_down
from event_tools.filters.polarity import flip_polarity
from event_tools.filters.timing import reverse_time, scale_time


def random_flip_left_right(events: Events, seed: int, probability: float = 0.5) -> Events:
    """`flip_left_right` with a probability, otherwise the recording as it is."""
    return flip_left_right(events) if _happens(seed, "random_flip_left_right", probability) else events


def random_flip_up_down(events: Events, seed: int, probability: float = 0.5) -> Events:
    """`flip_up_down` with a probability, otherwise the recording as it is."""
    return flip_up_down(events) if _happens(seed, "random_flip_up_down", probability) else events


def random_flip_polarity(events: Events, seed: int, probability: float = 0.5) -> Events:
    """`flip_polarity` of the whole recording with a probability, otherwise the recording as it is."""
    return flip_polarity(events) if _happens(seed, "random_flip_polarity", probability) else events


def random_time_reversal(events: Events, seed: int, probability: float = 0.5, flip_polarities: bool = True) -> Events:
    """`reverse_time` with a probability, otherwise the recording as it is."""
    return reverse_time(events, flip_polarities) if _happens(seed, "random_time_reversal", probability) else events


def random_time_scale(events: Events, low: float, high: float, seed: int) -> Events:
    """Slower or faster by a factor from low to high (tonic's time skew); the first event stays where it is."""
    low = real("low", low, above=True)
    high = real("high", high, low)
    draw = float(generator(seed, "random_time_scale").random())
    return scale_time(events, low + (high - low) * draw, int(events.t[0]) if len(events) else 0)


def random_crop(events: Events, width: int, height: int, seed: int) -> Events:
    """`crop` to a window of this size anywhere in the sensor; raises ValueError for one larger than it."""
    sensor = events.sensor_size
    size = whole("width", width, 1, sensor[0]), whole("height", height, 1, sensor[1])
    draws = generator(seed, "random_crop").random(2)
    left, top = (int(below(draws[i : i + 1], sensor[i] - size[i] + 1)[0]) for i in range(2))
    return crop(events, left, top, *size)


def _happens(seed: int, name: str, probability: float) -> bool:
    return float(generator(seed, name).random()) < real("probability", probability, 0, 1)

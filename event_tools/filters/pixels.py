"""Pixels that fire too much: how they are found, and how given ones are silenced."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from event_tools.events import Events
from event_tools.filters.checks import real, rows_and_columns

Pixels = Sequence[tuple[int, int]] | NDArray[np.integer]
"""(x, y) of some pixels."""


def find_hot_pixels(events: Events, sigma: float | None = None, rate_hz: float | None = None) -> NDArray[np.int64]:
    """(n, 2) columns x, y of pixels that fire too often, the busiest first. Give one of the two limits.

    rate_hz: more events per second between the recording's first and last event; none where they are simultaneous.
    sigma: more events than the mean of the (up to 8) neighbours by sigma times their spread, which is their standard
    deviation, the square root of their mean or 1, whichever is largest. Raises ValueError.
    """
    if (sigma is None) == (rate_hz is None):
        raise ValueError(f"expected sigma or rate_hz, one of them, got sigma={sigma} and rate_hz={rate_hz}")
    name, limit = ("sigma", sigma) if sigma is not None else ("rate_hz", rate_hz)
    limit = real(name, limit, above=True)
    height, width = rows_and_columns(events.sensor_size)
    counts = np.bincount(events.y.astype(np.int64) * width + events.x, minlength=width * height).reshape(height, width)
    if name == "sigma":
        hot = _above_neighbours(counts, limit)
    else:
        seconds = (int(events.t[-1]) - int(events.t[0])) * 1e-6 if len(events) else 0.0
        hot = counts > limit * seconds if seconds else np.zeros_like(counts, np.bool_)
    y, x = np.nonzero(hot)
    order = np.argsort(-counts[y, x], kind="stable")
    return np.stack((x[order], y[order]), 1)


def drop_hot_pixels(events: Events, sigma: float | None = None, rate_hz: float | None = None) -> Events:
    """All but the events of the pixels that `find_hot_pixels` finds."""
    return drop_pixels(events, find_hot_pixels(events, sigma, rate_hz))


def drop_pixels(events: Events, pixels: Pixels) -> Events:
    """All but the events of some pixels; raises ValueError for pixels outside the sensor."""
    places = np.asarray(pixels)
    if places.size == 0:
        return events
    if places.ndim != 2 or places.shape[1] != 2 or not np.issubdtype(places.dtype, np.integer):
        raise ValueError(f"expected pixels as rows of x and y, whole numbers, got {places.dtype} {places.shape}")
    height, width = rows_and_columns(events.sensor_size)
    outside = (places < 0).any(1) | (places[:, 0] >= width) | (places[:, 1] >= height)
    if outside.any():
        x, y = places[np.argmax(outside)]
        raise ValueError(f"expected pixels within {width}x{height}, got ({x}, {y})")
    keep = np.ones((height, width), np.bool_)
    keep[places[:, 1], places[:, 0]] = False
    return events[keep[events.y, events.x]]


def _above_neighbours(counts: NDArray[np.int64], sigma: float) -> NDArray[np.bool_]:
    values = np.stack((np.ones_like(counts), counts, counts**2)).astype(np.float64)
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)))
    height, width = counts.shape
    around = sum(padded[:, r : r + height, c : c + width] for r in range(3) for c in range(3)) - values
    n = np.maximum(around[0], 1)
    mean = around[1] / n
    variance = around[2] / n - mean**2
    return counts - mean > sigma * np.sqrt(np.maximum(np.maximum(variance, mean), 1.0))

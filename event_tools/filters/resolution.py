"""Fewer pixels or fewer events: down-sampling that keeps every event, pooling that integrates, decimation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from event_tools.events import Events
from event_tools.filters.checks import rows_and_columns, whole
from event_tools.filters.memory import Memory


def downsample(events: Events, factor: int) -> Events:
    """Every event at the coarse pixel that covers its own: (x // factor, y // factor). None is lost or added.

    The coarse sensor has as many pixels as are begun, ceil(width / factor) by ceil(height / factor).
    """
    factor = whole("factor", factor, 1)
    step = np.uint32(min(factor, 65536))  # of more than 16 bits, since a sensor may have 65,536 columns
    x, y = ((side // step).astype(np.uint16) for side in (events.x, events.y))
    return Events.unchecked(events.t, x, y, events.p, _coarse_size(events, factor))


def integrate(events: Events, factor: int, threshold: int | None = None, memory: Memory | None = None) -> Events:
    """The events of a coarser sensor: each coarse pixel adds ON and subtracts OFF, and fires on reaching a threshold.

    threshold: events; None is factor**2, because so many events in a block of factor x factor pixels move its mean log
    intensity by one contrast step. An integrate-and-fire unit without leak, as the integrator of Ghosh et al. 2023
    (doi 10.1145/3589737.3605994), but event by event instead of in time bins. memory: see `Memory`. Raises ValueError.
    """
    from event_tools.kernels.filters import integrate_mask

    coarse = downsample(events, factor)
    threshold = factor * factor if threshold is None else whole("threshold", threshold, 1)
    sums = (memory or Memory()).of_pixels(rows_and_columns(coarse.sensor_size), 0)
    mask: NDArray[np.bool_] = integrate_mask(coarse.x, coarse.y, coarse.p, sums, min(threshold, 1 << 62))
    return coarse[mask]


def decimate(events: Events, keep_every: int, memory: Memory | None = None) -> Events:
    """Of each pixel one event in keep_every: the keep_every-th, and so on. memory: see `Memory`."""
    from event_tools.kernels.filters import decimate_mask

    keep_every = whole("keep_every", keep_every, 1)
    seen = (memory or Memory()).of_pixels(rows_and_columns(events.sensor_size), 0)
    mask: NDArray[np.bool_] = decimate_mask(events.x, events.y, seen, min(keep_every, 1 << 62))
    return events[mask]


def _coarse_size(events: Events, factor: int) -> tuple[int, int]:
    width, height = events.sensor_size
    return -(-width // factor), -(-height // factor)

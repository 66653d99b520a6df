"""Time surfaces: when each pixel fired last, fading with age (HOTS, Lagorce et al. 2017; over the whole sensor).

S(p, y, x) = exp(-(at - t_last(p, y, x)) / tau), and 0 where a pixel has not fired
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_tools.columns import checked_columns
from event_tools.events import Events

NEVER = np.iinfo(np.int64).min


def last_times(events: Events, at_us: int | None = None) -> NDArray[np.int64]:
    """(2, H, W) microseconds of the last event of each polarity and pixel up to at_us, `NEVER` where there is none."""
    *_, last = _walk(events, [len(events) if at_us is None else np.searchsorted(events.t, at_us, side="right")])
    return last


def time_surfaces(events: Events, tau_us: float, at_us: ArrayLike | Sequence[int] | None = None) -> NDArray[np.float32]:
    """(T, 2, H, W) surfaces in [0, 1] as they stand at each of the T times at_us, by default that of the last event.

    An event at just that time counts, with 1. Times may not decrease. Raises ValueError for wrong arguments.
    """
    if not tau_us > 0:
        raise ValueError(f"expected tau_us above 0, got {tau_us}")
    if at_us is None:
        at_us = events.t[-1:] if len(events) else [0]
    at = np.atleast_1d(np.asarray(at_us))
    if at.ndim != 1 or at.dtype.kind not in "iu" or (at[1:] < at[:-1]).any():
        raise ValueError("expected at_us to be whole microseconds that do not decrease")
    at = at.astype(np.int64)
    width, height = events.sensor_size
    surfaces = np.zeros((len(at), 2, height, width), np.float32)
    walk = _walk(events, np.searchsorted(events.t, at, side="right").tolist())
    for surface, now, last in zip(surfaces, at, walk, strict=True):
        fired = last != NEVER
        surface[fired] = np.exp((now - last[fired]) / -tau_us)
    return surfaces


def averaged_surfaces(events: Events, cell: int, radius: int, tau_us: float, window_us: int) -> NDArray[np.float32]:
    """(rows, columns, 2, D, D) mean surfaces, D = 2 radius + 1, of the events in cells of `cell` pixels a side.

    The surface about event i sums exp(-(t_i - t_j) / tau) at the place of each earlier event j of its cell and polarity
    relative to it, up to window_us old and `radius` pixels away. Cells without events are 0. Raises ValueError for
    sizes that are not positive.
    """
    if cell < 1 or radius < 0 or not tau_us > 0 or window_us < 0:
        raise ValueError(
            f"expected cell and tau_us above 0, radius and window_us from 0 up, got {cell}, {tau_us}, {radius}, "
            f"{window_us}"
        )
    from event_tools.kernels.dense import sum_surfaces

    width, height = events.sensor_size
    grid = -(-height // cell), -(-width // cell), 2
    sums, numbers = np.zeros((*grid, 2 * radius + 1, 2 * radius + 1)), np.zeros(grid, np.int64)
    sum_surfaces(*checked_columns(events), cell, float(tau_us), window_us, sums, numbers)
    return (sums / np.maximum(numbers, 1)[..., None, None]).astype(np.float32)


def _walk(events: Events, stops: Sequence[int]) -> Iterator[NDArray[np.int64]]:
    """The last times after so many events, in one array that changes as the walk goes on."""
    from event_tools.kernels.dense import keep_last

    width, height = events.sensor_size
    last = np.full((2, height, width), NEVER, np.int64)
    t, x, y, p = checked_columns(events)
    for start, stop in pairwise([0, *stops]):
        keep_last(t[start:stop], x[start:stop], y[start:stop], p[start:stop], last)
        yield last

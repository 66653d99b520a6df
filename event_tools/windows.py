"""Frames cut as tonic's `ToFrame` cuts them, window for window, with all that it loses; without its 16-bit counts.

time_window   windows of so many microseconds from start_time on (the first event), half-open; what is left behind the
              last whole one is lost unless include_incomplete, and then an event on its end still is
event_count   windows of so many events; the rest is lost unless include_incomplete
n_time_bins   windows of (t_last - t_first) // n; the remainder and the last event are lost
n_event_bins  windows of N // n events; the remainder is lost

overlap is in microseconds, in events, or a part of a bin; with a part r, windows of d (1 + r) start d (1 + r) (1 - r)
apart. Source of the rules: tonic 1.7.0, slicers.py and functional/to_frame.py, restated.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from event_tools.binning import count_slices
from event_tools.events import Events

Slices = tuple[NDArray[np.int64], NDArray[np.int64]]  # first event of each window, and first event after it


def tonic_frames(
    events: Events,
    *,
    time_window: float | None = None,
    event_count: int | None = None,
    n_time_bins: int | None = None,
    n_event_bins: int | None = None,
    overlap: float = 0,
    include_incomplete: bool = False,
    start_time: float | None = None,
    end_time: float | None = None,
) -> NDArray[np.int32]:
    """Counts (T, 2, H, W) of exactly one of the four rules; parameters have tonic's names, units and defaults.

    Without events there is one empty window, or n empty bins. Raises ValueError for none or several of the rules, for
    a size that is not positive, and for an overlap that leaves no step between windows.
    """
    sizes = {
        "time_window": time_window,
        "event_count": event_count,
        "n_time_bins": n_time_bins,
        "n_event_bins": n_event_bins,
    }
    given = {name: size for name, size in sizes.items() if size is not None}
    if len(given) != 1:
        raise ValueError(f"expected exactly one of {', '.join(sizes)}, got {', '.join(given) or 'none'}")
    ((rule, size),) = given.items()
    if not size > 0:
        raise ValueError(f"expected {rule} above 0, got {size}")
    if not len(events):
        nothing = np.zeros(size if rule.startswith("n_") else 1, np.int64)
        return count_slices(events, nothing, nothing)
    if rule == "time_window":
        first, last = int(events.t[0]), int(events.t[-1])
        start, end = first if start_time is None else start_time, last if end_time is None else end_time
        slices = time_windows(events.t, size, overlap, include_incomplete, start, end)
    elif rule == "event_count":
        slices = event_windows(len(events), int(size), int(overlap), include_incomplete)
    elif rule == "n_time_bins":
        slices = time_bins(events.t, int(size), overlap)
    else:
        slices = event_bins(len(events), int(size), overlap)
    return count_slices(events, *(np.clip(side, 0, len(events)) for side in slices))


def time_windows(
    t: NDArray[np.int64], window: float, overlap: float, include_incomplete: bool, start: float, end: float
) -> Slices:
    """Windows that begin every `window - overlap` microseconds; at least one."""
    stride = _step(window - overlap, "time_window", overlap)
    whole = math.ceil if include_incomplete else math.floor
    begins = np.arange(max(whole((end - start - window) / stride) + 1, 1)) * stride + start
    return _between(t, begins, begins + window)


def event_windows(n: int, count: int, overlap: int, include_incomplete: bool) -> Slices:
    """Windows that begin every `count - overlap` events; a recording of fewer events is one window."""
    stride = _step(count - overlap, "event_count", overlap)
    count = min(count, n)
    whole = math.ceil if include_incomplete else math.floor
    starts = np.arange(whole((n - count) / stride) + 1) * stride
    return starts, starts + count


def time_bins(t: NDArray[np.int64], bins: int, overlap: float) -> Slices:
    """`bins` windows of the floored part of the recording's duration, longer by the overlap."""
    _step(1 - overlap, "n_time_bins", overlap)
    window = (int(t[-1]) - int(t[0])) // bins * (1 + overlap)
    begins = np.arange(bins) * (window * (1 - overlap)) + int(t[0])
    return _between(t, begins, begins + window)


def event_bins(n: int, bins: int, overlap: float) -> Slices:
    """`bins` windows of the floored part of the recording's events, longer by the overlap."""
    _step(1 - overlap, "n_event_bins", overlap)
    count = int(n // bins * (1 + overlap))
    starts = np.arange(bins) * int(count * (1 - overlap))
    return starts, starts + count


def _step(step: float, rule: str, overlap: float) -> float:
    if not step > 0:
        raise ValueError(f"expected an overlap below the {rule} (for bins: below 1), got {overlap}")
    return step


def _between(t: NDArray[np.int64], begins: NDArray[np.number], ends: NDArray[np.number]) -> Slices:
    """First events at or after each time; times are whole, so that a bound may be rounded up."""
    starts, stops = (np.searchsorted(t, np.ceil(side).astype(np.int64)) for side in (begins, ends))
    return starts, stops

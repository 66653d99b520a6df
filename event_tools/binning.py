"""Events to counts: (T, 2, H, W) in bins that lose nothing, or the paper's floor rule.

time       dt = (t_last - t_first) // T, edges t_first + i dt, the last edge t_last and closed (SpikingJelly's "time")
count      N // T events a bin in their order, the remainder in the last; edges where they start, the last t_last
           (SpikingJelly's "number")
duration   bins of so many microseconds from t_first on, as many as hold all events; half-open, the last one as well
published  dt = (t_last - t_first) // T, T half-open bins of dt; the remainder and the last event are lost, as in
           arXiv 2405.14474's loader
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from operator import index

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_tools.events import Events, Frames
from event_tools.formats.blocks import THREADS, in_order

RULES = ("time", "count", "duration", "published")
THREADED = 1 << 19  # events from which a second thread is worth its start
MOST = (1 << 31) - 1  # what a count holds


def to_frames(
    events: Events,
    steps: int | None = None,
    by: str = "time",
    edges: ArrayLike | Sequence[int] | None = None,
    out: NDArray[np.int32] | None = None,
) -> Frames:
    """Count the events of each bin, polarity and pixel; counts are int32.

    steps: how many bins, or by="duration" how many microseconds each; edges (T + 1 microseconds) wins over steps and
    by, and events outside it raise ValueError. out: an array (T, 2, H, W) of int32 to fill and return instead of a new
    one. Without events all bins are empty, at 0 us (by="duration" there are none). Raises ValueError for fewer than one
    step and for a bin of more than 2^31 - 1 events.
    """
    if edges is not None:
        bounds, starts = _given(events.t, edges)
    elif steps is None:
        raise ValueError("expected steps (1 or more) or edges, got neither")
    else:
        bounds, starts = cut(events.t, steps, by)
    return Frames.unchecked(count_slices(events, starts[:-1], starts[1:], out), bounds)


def cut(t: NDArray[np.int64], steps: int, by: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The T + 1 edges in microseconds that a rule gives for event times t, and the first event after each."""
    edges = bin_edges(t, steps, by)
    starts = len(t) // steps * np.arange(steps + 1) if by == "count" else np.searchsorted(t, edges)
    if by != "published":
        starts[-1] = len(t)
    return edges, starts


def bin_edges(t: NDArray[np.int64], steps: int, by: str = "time") -> NDArray[np.int64]:
    """The T + 1 edges in microseconds that a rule gives for event times t; without events all are 0."""
    if by not in RULES:
        raise ValueError(f"expected by to be {', '.join(RULES)}, got {by!r}")
    _check_steps(steps)
    first, last = (int(t[0]), int(t[-1])) if len(t) else (0, 0)
    if by == "duration":
        return first + steps * np.arange((last - first) // steps + 2 if len(t) else 1, dtype=np.int64)
    if by == "count" and len(t):
        edges = t[len(t) // steps * np.arange(steps + 1, dtype=np.int64).clip(max=steps - 1)]
    else:
        edges = first + (last - first) // steps * np.arange(steps + 1, dtype=np.int64)
    if by != "published":
        edges[-1] = last
    return edges


def _check_steps(steps: int) -> None:
    try:
        wrong = index(steps) < 1
    except TypeError:
        wrong = True
    if wrong:
        raise ValueError(f"expected steps (by=duration: microseconds) as a whole number from 1 up, got {steps!r}")


def _given(t: NDArray[np.int64], edges: ArrayLike | Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Edges that a caller gave, and the first event after each; raises ValueError where they leave events out."""
    bounds = np.asarray(edges)
    if bounds.ndim != 1 or len(bounds) < 2 or bounds.dtype.kind not in "iu" or (bounds[1:] < bounds[:-1]).any():
        raise ValueError("expected edges to be two or more whole, non-decreasing times in microseconds")
    bounds = bounds.astype(np.int64)
    starts = np.searchsorted(t, bounds)
    starts[-1] = np.searchsorted(t, bounds[-1], side="right")
    if outside := len(t) - int(starts[-1] - starts[0]):
        raise ValueError(
            f"expected events between {bounds[0]} and {bounds[-1]} us, {outside} lie outside; "
            f"widen the edges or cut the recording"
        )
    return bounds, starts


def count_slices(
    events: Events, starts: NDArray[np.int64], stops: NDArray[np.int64], out: NDArray[np.int32] | None = None
) -> NDArray[np.int32]:
    """Counts (T, 2, H, W) of the events starts[i] to stops[i], which may overlap, in out or a new array."""
    from event_tools.kernels.binning import count_windows

    width, height = events.sensor_size
    shape = (len(starts), 2, height, width)
    if out is None:
        out = np.empty(shape, np.int32)
    elif out.shape != shape or out.dtype != np.int32 or not out.flags.c_contiguous or not out.flags.writeable:
        raise ValueError(
            f"expected out to be a contiguous, writable int32 array {shape}, got {out.dtype} {out.shape}; "
            f"make one with np.empty or leave it out"
        )
    lengths = stops - starts
    if len(lengths) and lengths.max() > MOST:
        raise ValueError(f"expected up to {MOST} events in a bin, got {lengths.max()}; use more bins")
    x, y, p = (np.ascontiguousarray(column) for column in (events.x, events.y, events.p))

    def count(part: slice) -> int:
        return count_windows(x, y, p, starts[part], stops[part], width, out[part].reshape(-1, 2 * height * width))

    total = np.cumsum(lengths)
    threads = THREADS if len(total) and total[-1] >= THREADED else 1
    ends = np.searchsorted(total, np.arange(1, threads) * (total[-1] // threads if threads > 1 else 0), side="right")
    bounds = [0, *ends.tolist(), len(starts)]
    if any(in_order(count, [slice(a, b) for a, b in pairwise(bounds) if a < b])):
        raise ValueError("expected events within the sensor, they have changed since; make the Events anew")
    return out

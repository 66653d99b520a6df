"""Events to counts: (T, 2, H, W) in time bins that lose nothing, or the paper's floor rule.

time       dt = (t_last - t_first) // T, edges t_first + i dt, the last edge t_last and closed (SpikingJelly's rule)
published  dt = (t_last - t_first) // T, T half-open bins of dt; the remainder and the last event are lost, as in
           arXiv 2405.14474's loader
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_tools.events import Events, Frames

RULES = ("time", "published")


def to_frames(
    events: Events, steps: int | None = None, by: str = "time", edges: ArrayLike | Sequence[int] | None = None
) -> Frames:
    """Count the events of each bin, polarity and pixel; counts are int32.

    edges (T + 1 microseconds) wins over steps and by; events outside it raise ValueError, except under
    by="published", which loses them by definition. Raises ValueError for fewer than one step.
    """
    if edges is None:
        if steps is None or steps < 1:
            raise ValueError(f"expected steps (1 or more) or edges, got steps={steps}")
        bounds = bin_edges(events.t, steps, by)
        lossy = by == "published"
    else:
        bounds, lossy = np.asarray(edges, np.int64), False
        if bounds.ndim != 1 or len(bounds) < 2 or (np.diff(bounds) < 0).any():
            raise ValueError("expected edges to be two or more non-decreasing times")
    index, inside = bin_index(events.t, bounds, closed=not lossy)
    if not lossy and not inside.all():
        raise ValueError(
            f"expected events between {bounds[0]} and {bounds[-1]} us, {np.count_nonzero(~inside)} lie outside; "
            f"widen the edges or cut the recording"
        )
    width, height = events.sensor_size
    bins = len(bounds) - 1
    cell = ((index * 2 + events.p) * height + events.y) * width + events.x
    counts = np.bincount(cell[inside], minlength=bins * 2 * height * width)
    return Frames(counts.astype(np.int32).reshape(bins, 2, height, width), bounds)


def bin_edges(t: NDArray[np.int64], steps: int, by: str = "time") -> NDArray[np.int64]:
    """The T + 1 edges in microseconds that a rule gives for event times t; without events all are 0."""
    if by not in RULES:
        raise ValueError(f"expected by to be {' or '.join(RULES)}, got {by!r}")
    first, last = (int(t[0]), int(t[-1])) if len(t) else (0, 0)
    edges = first + (last - first) // steps * np.arange(steps + 1, dtype=np.int64)
    if by == "time":
        edges[-1] = last
    return edges


def bin_index(
    t: NDArray[np.int64], edges: NDArray[np.int64], closed: bool = True
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The bin of each time and whether it lies in any.

    Bin i is edges[i] <= t < edges[i + 1]; with `closed`, t == edges[-1] belongs to the last bin.
    """
    index = np.searchsorted(edges, t, side="right") - 1
    if closed:
        index[t == edges[-1]] = len(edges) - 2
    inside = (index >= 0) & (index < len(edges) - 1)
    return index, inside

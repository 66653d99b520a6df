"""Times moved onto edges, so that binning finds the edges by itself, and moved apart, so that no two are equal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from event_tools.binning import bin_edges

_WITHOUT = "leave the anchor out"


def anchor_time(t: NDArray[np.int64], edges: NDArray[np.int64], per_bin: NDArray[np.int64]) -> None:
    """Put the first event on the first edge and the last on the last; t: (n,) microseconds, bin after bin, changed.

    Raises ValueError for edges that are not those of by="time", an empty first or last bin, and a single event.
    """
    steps = len(per_bin)
    if not steps or not per_bin[0] or not per_bin[-1]:
        raise ValueError(f"expected events in the first and the last bin for anchor=True; {_WITHOUT}")
    if not np.array_equal(bin_edges(edges[[0, -1]], steps), edges):
        raise ValueError(f"expected the edges of `to_frames(events, steps=T)` for anchor=True; {_WITHOUT}")
    first, last = int(np.argmin(t)), len(t) - 1 - int(np.argmax(t[::-1]))
    if first == last and edges[0] != edges[-1]:
        raise ValueError(f"expected at least two events for anchor=True, got one; {_WITHOUT}")
    t[first], t[last] = edges[0], edges[-1]


def anchor_count(
    t: NDArray[np.int64], edges: NDArray[np.int64], per_bin: NDArray[np.int64], free: NDArray[np.bool_]
) -> None:
    """Put the first event of each bin on its edge and the last of all on the last edge; t as in `anchor_time`.

    free: (n,) events that may move to the edge without coming near another of their pixel; one of them moves where a
    bin has one. Raises ValueError for bins that do not hold N // T events each (the last one the rest), and for edges
    that are not those of by="count".
    """
    steps, total = len(per_bin), len(t)
    if not steps or not total:
        raise ValueError(f"expected events for anchor='count', got none; {_WITHOUT}")
    if (per_bin[:-1] != total // steps).any():
        raise ValueError(
            f"expected {total // steps} events in each bin and the rest in the last for anchor='count', got "
            f"{per_bin.tolist()}; see event_tools.counts.to_budget"
        )
    stops = np.cumsum(per_bin)
    for bin in np.flatnonzero(per_bin).tolist():
        part = slice(stops[bin] - per_bin[bin], stops[bin])
        choice = np.where(free[part], t[part], np.iinfo(np.int64).max) if free[part].any() else t[part]
        first = int(part.start + np.argmin(choice))
        t[first] = edges[bin]
    last = total - 1 - int(np.argmax(t[part][::-1]))
    if last == first and edges[-2] != edges[-1]:
        raise ValueError(f"expected at least two events in the last bin for anchor='count', got one; {_WITHOUT}")
    t[last] = edges[-1]
    if not np.array_equal(bin_edges(np.sort(t), steps, "count"), edges):
        raise ValueError(
            f"expected the edges of `to_frames(events, steps=T, by='count')` for anchor='count'; {_WITHOUT}"
        )


def separate(
    t: NDArray[np.int64], edges: NDArray[np.int64], per_bin: NDArray[np.int64], closed: bool
) -> NDArray[np.int64]:
    """Sorted times that all differ: each tie moves on by 1 us, or back where its bin ends; none leaves its bin.

    closed: the last bin holds its last edge too, as one without width always does. Raises ValueError for a bin with
    fewer microseconds than events.
    """
    ends = edges[1:].copy()
    if len(ends) and (closed or edges[-2] == edges[-1]):
        ends[-1] += 1
    room = ends - edges[:-1]
    if (per_bin > room).any():
        bin = int(np.argmax(per_bin > room))
        raise ValueError(
            f"expected a microsecond for each event with unique=True, bin {bin} has {room[bin]} us for "
            f"{per_bin[bin]} events; use wider bins or leave unique out"
        )
    apart = t.copy()
    stops = np.cumsum(per_bin)
    for bin in np.flatnonzero(per_bin).tolist():
        part = apart[stops[bin] - per_bin[bin] : stops[bin]]
        rank = np.arange(len(part))
        part[:] = np.maximum.accumulate(part - rank) + rank  # each at least 1 us after the one before
        np.minimum(part, ends[bin] - len(part) + rank, out=part)
    return apart

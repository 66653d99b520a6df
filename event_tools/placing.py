"""Counts to events, the exact inverse of binning: every count becomes so many events inside its bin and pixel.

Times of one pixel keep a refractory distance r where the counts permit: k events in a bin of D microseconds are k
sorted draws on [0, D - k r), spread by i r + r // 2, which is uniform given that distance and keeps it across bins.
A counter-based generator (Philox) keyed by the seed makes the result the same everywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from event_tools.binning import bin_edges
from event_tools.events import Events, Frames
from event_tools.profile import RateCurve

PLACEMENTS = ("uniform", "linear", "profile")


def to_events(
    frames: Frames,
    seed: int = 0,
    placement: str = "uniform",
    refractory_us: int = 0,
    anchor: bool = False,
    profile: RateCurve | None = None,
) -> Events:
    """A recording with exactly these counts: `to_frames(to_events(f), edges=f.edges) == f`.

    placement: how times lie within a bin: uniform, linear (rising or falling towards the pixel's neighbouring bins), or
    profile (a rate curve). refractory_us: least distance between events of a pixel, shrunk where a cell is too full
    (see `crowded_cells`). anchor: put the first event on the first edge and the last on the last, so that
    `to_frames(events, steps=T)` finds the same edges.
    Events are sorted by (t, y, x, p). Raises ValueError for counts in a bin without width (except the closed last
    edge), and for an anchor that the frames do not permit.
    """
    if placement not in PLACEMENTS:
        raise ValueError(f"expected placement to be {', '.join(PLACEMENTS)}, got {placement!r}")
    if (placement == "profile") != (profile is not None):
        raise ValueError(
            "expected a rate curve with placement=profile and only there; pass profile=RateCurve.measure(...)"
        )
    if refractory_us < 0:
        raise ValueError(f"expected refractory_us from 0 up, got {refractory_us}")
    counts, edges = frames.counts.astype(np.int64), frames.edges
    _check_widths(counts, edges)
    per_pixel = counts.sum(1)  # (T, H, W): both polarities share the refractory time
    bins, ys, xs = np.nonzero(per_pixel)
    k = per_pixel[bins, ys, xs]
    group = np.repeat(np.arange(len(k)), k)
    rank = np.arange(len(group)) - np.repeat(np.cumsum(k) - k, k)

    rng = np.random.Generator(np.random.Philox(key=seed))
    draws = rng.random(len(group))
    u = draws[np.lexsort((draws, group))]
    shuffled = np.lexsort((rng.random(len(group)), group))
    p = (rank >= np.repeat(counts[bins, 0, ys, xs], k))[shuffled]

    start, width = edges[bins][group], (edges[bins + 1] - edges[bins])[group]
    if placement == "linear":
        u = _towards_neighbours(u, per_pixel, bins, ys, xs, group)
    elif profile is not None:
        u = profile.warp(u, start, start + width)
    r = np.minimum(refractory_us, width // k[group])
    free = width - k[group] * r
    inside = np.minimum((u * free).astype(np.int64), np.maximum(free - 1, 0))
    t = start + inside + rank * r + r // 2
    t = np.minimum(t, np.maximum(start + width - 1, start))  # a bin without free time must not spill over
    if anchor:
        _anchor(t, edges, counts)
    y, x = ys[group], xs[group]
    order = np.lexsort((p, x, y, t))
    return Events(
        t[order], x[order].astype(np.uint16), y[order].astype(np.uint16), p[order].astype(np.uint8), frames.sensor_size
    )


def crowded_cells(frames: Frames, refractory_us: int) -> int:
    """Pixels and bins that hold too many events for the refractory time, where `to_events` shrinks it."""
    width = np.diff(frames.edges)[:, None, None]
    return int(np.count_nonzero(frames.counts.astype(np.int64).sum(1) * refractory_us > width))


def _check_widths(counts: NDArray[np.int64], edges: NDArray[np.int64]) -> None:
    flat = np.diff(edges) == 0
    if len(flat):
        flat[-1] = False  # the last edge is closed
    full = counts.sum((1, 2, 3)) > 0
    if (flat & full).any():
        first = int(np.argmax(flat & full))
        raise ValueError(
            f"expected no events in a bin without width, bin {first} at {edges[first]} us holds {counts[first].sum()}"
        )


def _towards_neighbours(
    u: NDArray[np.float64],
    per_pixel: NDArray[np.int64],
    bins: NDArray[np.int64],
    ys: NDArray[np.int64],
    xs: NDArray[np.int64],
    group: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Warp u by the density 1 + s (2 z - 1), s in [-1, 1] from the pixel's counts one bin before and after."""
    padded = np.concatenate((per_pixel[:1], per_pixel, per_pixel[-1:]))
    before, now, after = (padded[bins + i, ys, xs].astype(np.float64) for i in range(3))
    s = np.clip(2 * (after - before) / (after + before + 2 * now), -1.0, 1.0)[group]
    root = np.sqrt((1 - s) ** 2 + 4 * s * u)
    return 2 * u / ((1 - s) + root)  # the stable root of s z^2 + (1 - s) z = u


def _anchor(t: NDArray[np.int64], edges: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
    steps = len(counts)
    if not np.array_equal(bin_edges(edges[[0, -1]], steps), edges):
        raise ValueError("expected the edges of `to_frames(events, steps=T)` for anchor=True; leave the anchor out")
    if not counts[0].any() or not counts[-1].any():
        raise ValueError("expected events in the first and the last bin for anchor=True; leave the anchor out")
    first, last = int(np.argmin(t)), len(t) - 1 - int(np.argmax(t[::-1]))
    if first == last and edges[0] != edges[-1]:
        raise ValueError("expected at least two events for anchor=True, got one; leave the anchor out")
    t[first], t[last] = edges[0], edges[-1]

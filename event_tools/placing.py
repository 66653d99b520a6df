"""Counts to events, the exact inverse of binning: every count becomes so many events inside its bin and pixel.

Times of one pixel keep a refractory distance r where the counts permit: k events in a bin of D microseconds are k
sorted draws on [0, D - k r), spread by i r + r // 2, which is uniform given that distance and keeps it across bins.
A counter-based generator (Philox) keyed by the seed makes the result the same everywhere.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from event_tools.anchoring import anchor_count, anchor_time, separate
from event_tools.binning import THREADED
from event_tools.events import Events, Frames
from event_tools.formats.blocks import in_order
from event_tools.profile import RateCurve

PLACEMENTS = ("uniform", "linear", "profile")
POLARITIES = ("mixed", "runs")


def to_events(
    frames: Frames,
    seed: int = 0,
    placement: str = "uniform",
    refractory_us: int = 0,
    anchor: bool | str = False,
    profile: RateCurve | None = None,
    unique: bool = False,
    polarity: str = "mixed",
) -> Events:
    """A recording with exactly these counts: `to_frames(to_events(f), edges=f.edges) == f`.

    placement: how times lie within a bin: uniform, linear (rising or falling towards the pixel's neighbouring bins), or
    profile (a rate curve). refractory_us: least distance between events of a pixel, shrunk where a cell is too full
    (see `crowded_cells`). anchor: "time" (or True) puts the first event on the first edge and the last on the last,
    "count" also the first of every bin on its edge, so that `to_frames(events, steps=T, by=anchor)` finds the same
    edges. unique: no two events at one microsecond; ties move on by 1 us each, which may take as much from the
    refractory distance. polarity: how ON and OFF events of a pixel and bin follow each other: mixed at random, or runs,
    first all of one, as where one edge passes and then another.
    Events are sorted by (t, y, x, p). Raises ValueError for counts in a bin without width (except the closed last
    edge), for an anchor that the frames do not permit, and for unique where a bin has fewer microseconds than events.
    """
    if placement not in PLACEMENTS:
        raise ValueError(f"expected placement to be {', '.join(PLACEMENTS)}, got {placement!r}")
    if (placement == "profile") != (profile is not None):
        raise ValueError(
            "expected a rate curve with placement=profile and only there; pass profile=RateCurve.measure(...)"
        )
    if polarity not in POLARITIES:
        raise ValueError(f"expected polarity to be {', '.join(POLARITIES)}, got {polarity!r}")
    if refractory_us < 0:
        raise ValueError(f"expected refractory_us from 0 up, got {refractory_us}")
    if anchor not in (False, True, "time", "count"):
        raise ValueError(f"expected anchor to be True, False, 'time' or 'count', got {anchor!r}")
    from event_tools.kernels.placing import lay_out, sort_groups

    counts, edges = frames.counts, frames.edges
    per_pixel = counts.sum(1, dtype=np.int64)  # (T, H, W): both polarities share the refractory time
    per_bin = per_pixel.sum((1, 2))
    _check_widths(per_bin, edges)
    cells = np.nonzero(per_pixel)  # bins, rows, columns of the groups: a group is what one pixel and bin holds
    k = per_pixel[cells]
    bins, ys, xs = cells

    rng = np.random.Generator(np.random.Philox(key=seed))
    u, deal = rng.random(int(k.sum())), rng.random(int(k.sum()))
    t, p = np.empty(len(u), np.int64), np.empty(len(u), np.uint8)
    sort_groups(u, deal, k, counts[bins, 0, ys, xs].astype(np.int64), polarity == "runs", p)
    start, width = edges[bins], edges[bins + 1] - edges[bins]
    if placement == "linear":
        u = _towards_neighbours(u, per_pixel, bins, ys, xs, k)
    elif profile is not None:
        u = profile.warp(u, np.repeat(start, k), np.repeat(start + width, k))
    lay_out(u, k, start, width, refractory_us, t)
    if anchor == "count":
        anchor_count(t, edges, per_bin, _firsts_after_silence(per_pixel, cells, k))
    elif anchor:
        anchor_time(t, edges, per_bin)
    t, y, x, p = _sorted(t, np.repeat(ys, k), np.repeat(xs, k), p, frames.sensor_size, per_bin)
    if unique:
        t = separate(t, edges, per_bin, closed=bool(anchor))
    return Events(t, x, y, p, frames.sensor_size)


def crowded_cells(frames: Frames, refractory_us: int) -> int:
    """Pixels and bins that hold too many events for the refractory time, where `to_events` shrinks it."""
    width = np.diff(frames.edges)[:, None, None]
    return int(np.count_nonzero(frames.counts.sum(1, dtype=np.int64) * refractory_us > width))


def _check_widths(per_bin: NDArray[np.int64], edges: NDArray[np.int64]) -> None:
    wrong = (np.diff(edges) == 0) & (per_bin > 0)
    wrong[-1:] = False  # the last edge is closed
    if wrong.any():
        first = int(np.argmax(wrong))
        raise ValueError(
            f"expected no events in a bin without width, bin {first} at {edges[first]} us holds {per_bin[first]}"
        )


def _towards_neighbours(
    u: NDArray[np.float64],
    per_pixel: NDArray[np.int64],
    bins: NDArray[np.int64],
    ys: NDArray[np.int64],
    xs: NDArray[np.int64],
    k: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Warp u by the density 1 + s (2 z - 1), s in [-1, 1] from the pixel's counts one bin before and after."""
    padded = np.concatenate((per_pixel[:1], per_pixel, per_pixel[-1:]))
    before, now, after = (padded[bins + i, ys, xs].astype(np.float64) for i in range(3))
    s = np.repeat(np.clip(2 * (after - before) / (after + before + 2 * now), -1.0, 1.0), k)
    root = np.sqrt((1 - s) ** 2 + 4 * s * u)
    return 2 * u / ((1 - s) + root)  # the stable root of s z^2 + (1 - s) z = u


def _firsts_after_silence(
    per_pixel: NDArray[np.int64], cells: tuple[NDArray[np.int64], ...], k: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which events are the first in their bin of a pixel that was silent one bin before: free to move to its edge."""
    bins, ys, xs = cells
    first = np.zeros(int(k.sum()), np.bool_)
    first[np.cumsum(k) - k] = (bins == 0) | (per_pixel[bins - 1, ys, xs] == 0)
    return first


def _sorted(
    t: NDArray[np.int64],
    y: NDArray[np.int64],
    x: NDArray[np.int64],
    p: NDArray[np.uint8],
    sensor_size: tuple[int, int],
    per_bin: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint8]]:
    """Columns t, y, x, p, bin after bin, in their order; in one integer an event where it fits, ten times faster."""
    width, height = ((side - 1).bit_length() for side in sensor_size)
    first = int(t.min()) if len(t) else 0
    if len(t) == 0 or (int(t.max()) - first).bit_length() + height + width + 1 > 63:
        order = np.lexsort((p, x, y, t))
        return t[order], y[order].astype(np.uint16), x[order].astype(np.uint16), p[order]
    key = t - first
    for column, bits in ((y, height), (x, width), (p, 1)):
        key <<= bits
        key |= column
    if len(key) < THREADED:
        key.sort()
    else:
        stops = np.cumsum(per_bin).tolist()
        for _ in in_order(np.ndarray.sort, [key[start:stop] for start, stop in pairwise([0, *stops])]):
            pass
    p = (key & 1).astype(np.uint8)
    x = (key >> 1 & (1 << width) - 1).astype(np.uint16)
    y = (key >> 1 + width & (1 << height) - 1).astype(np.uint16)
    return (key >> 1 + width + height) + first, y, x, p

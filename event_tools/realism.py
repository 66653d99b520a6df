"""How real recordings look: distances between two sets of recordings, to be read beside the real-against-real floor.

count_w1        Wasserstein distance of event counts, relative to b's mean
on_share_w1     Wasserstein distance of the recordings' shares of ON events
log_isi_w1      Wasserstein distance of log10 intervals between successive events of a pixel (us; 1 at least)
rate_tv         total variation between the event rates over time, in bins of 1 ms
rate_w1         Wasserstein distance of the events per millisecond, relative to b's mean: bursts, and events in layers
cycle_lag       difference of the recordings' median cycle, in ms (`event_tools.rhythm`)
cycle_peak      difference of the median strength of that cycle
spatial_js      Jensen-Shannon divergence between the events' places, in bits
pixel_tv        total variation between the histograms of events per pixel and recording
alternation     difference in how often successive events of a pixel change polarity
support         difference in the share of events that follow another within 3x3 pixels and 5 ms
ties            difference in the share of events at the same microsecond as their predecessor

count_w1, on_share_w1 and the cycles are of recordings; the others pool the events of a set. A classifier-space distance
is blind to time on data like N-MNIST, these are not; but none of them sees whether a digit can be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from event_tools.events import Events
from event_tools.rhythm import cycle_of, rate_of

SUPPORT_US = 5000
UNITS = {
    "count_w1": "of the mean count",
    "on_share_w1": "share of ON events",
    "log_isi_w1": "decades",
    "rate_tv": "share of events",
    "rate_w1": "of the mean rate",
    "cycle_lag": "ms",
    "cycle_peak": "difference in correlation",
    "spatial_js": "bits",
    "pixel_tv": "share of pixels",
    "alternation": "difference in share",
    "support": "difference in share",
    "ties": "difference in share",
}


@dataclass(frozen=True)
class Row:
    """One figure: the distance of the generated recordings, and of real ones (floor), to the real ones."""

    name: str
    unit: str
    value: float
    floor: float


@dataclass(frozen=True, eq=False)
class Summary:
    """What the distances need of a set of recordings; histograms are normalised, all 0 without events.

    bursts: milliseconds by their number of events; cycle: median lag in ms and median strength.
    """

    sensor_size: tuple[int, int]
    counts: NDArray[np.float64]
    on_shares: NDArray[np.float64]
    log_isi: NDArray[np.float64]
    rate: NDArray[np.float64]
    bursts: NDArray[np.float64]
    cycle: tuple[float, float]
    places: NDArray[np.float64]
    per_pixel: NDArray[np.float64]
    alternation: float
    support: float
    ties: float


def realism(
    generated: Sequence[Events], real: Sequence[Events], floor: tuple[Sequence[Events], Sequence[Events]]
) -> list[Row]:
    """The distances of generated to real recordings, beside those between the two real sets in `floor`."""
    values, floors = compare(generated, real), compare(*floor)
    return [Row(name, unit, values[name], floors[name]) for name, unit in UNITS.items()]


def compare(a: Sequence[Events], b: Sequence[Events]) -> dict[str, float]:
    """The distances listed above, by name, of set a to set b.

    A figure that one set does not define (no interval without two events in a pixel) is NaN.
    Raises ValueError for an empty set or sensors of different size.
    """
    one, two = summarise(a), summarise(b)
    if one.sensor_size != two.sensor_size:
        raise ValueError(
            f"expected recordings of one sensor, got {one.sensor_size} and {two.sensor_size}; crop one of them"
        )
    return {
        "count_w1": wasserstein(one.counts, two.counts) / max(float(two.counts.mean()), 1.0),
        "on_share_w1": wasserstein(one.on_shares, two.on_shares),
        "log_isi_w1": wasserstein(one.log_isi, two.log_isi),
        "rate_tv": total_variation(one.rate, two.rate),
        "rate_w1": _bursts_w1(one.bursts, two.bursts),
        "cycle_lag": abs(one.cycle[0] - two.cycle[0]),
        "cycle_peak": abs(one.cycle[1] - two.cycle[1]),
        "spatial_js": jensen_shannon(one.places, two.places),
        "pixel_tv": total_variation(one.per_pixel, two.per_pixel),
        "alternation": abs(one.alternation - two.alternation),
        "support": abs(one.support - two.support),
        "ties": abs(one.ties - two.ties),
    }


def summarise(recordings: Sequence[Events]) -> Summary:
    """Statistics of a set; raises ValueError for an empty set or sensors of different size."""
    from event_tools.kernels.support import support_mask

    if not recordings:
        raise ValueError("expected at least one recording on each side, got none")
    sizes = {events.sensor_size for events in recordings}
    if len(sizes) > 1:
        raise ValueError(f"expected recordings of one sensor, got {sorted(sizes)}; crop them to one size")
    width, height = recordings[0].sensor_size
    places, intervals, flips, ties, support, rates, per_pixel = np.zeros(width * height), [], [], [], [], [], []
    for events in recordings:
        place = events.y.astype(np.int64) * width + events.x
        counts = np.bincount(place, minlength=width * height)
        places += counts
        per_pixel.append(np.bincount(counts))
        between, flipped = intervals_of(events)
        intervals.append(between)
        flips.append(flipped)
        ties.append(np.diff(events.t) == 0)
        support.append(support_mask(events.t, events.x, events.y, width, height, SUPPORT_US))
        rates.append(rate_of(events))
    return Summary(
        sensor_size=(width, height),
        counts=np.array([len(events) for events in recordings], np.float64),
        on_shares=np.array([events.p.mean() for events in recordings if len(events)]),
        log_isi=np.log10(np.maximum(np.concatenate(intervals), 1)),
        rate=_normalised(_summed(rates)),
        bursts=_normalised(_summed([np.bincount(rate) for rate in rates])),
        cycle=_medians([cycle_of(rate) for rate in rates]),
        places=_normalised(places),
        per_pixel=_normalised(_summed(per_pixel)),
        alternation=_mean(flips),
        support=_mean(support),
        ties=_mean(ties),
    )


def intervals_of(events: Events) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Microseconds between successive events of a pixel, of all pixels, and whether the polarity changed."""
    place = events.y.astype(np.int64) * events.sensor_size[0] + events.x
    order = np.argsort(place, kind="stable")
    same = np.diff(place[order]) == 0
    return np.diff(events.t[order])[same], (np.diff(events.p[order].astype(np.int8)) != 0)[same]


def wasserstein(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """First Wasserstein distance of two samples: the area between their distribution functions; NaN if one is empty."""
    if not len(a) or not len(b):
        return float("nan")
    a, b = np.sort(a), np.sort(b)
    both = np.sort(np.concatenate((a, b)))
    below_a = np.searchsorted(a, both[:-1], side="right") / len(a)
    below_b = np.searchsorted(b, both[:-1], side="right") / len(b)
    return float(np.sum(np.abs(below_a - below_b) * np.diff(both)))


def total_variation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Half the summed difference of two histograms; the shorter one ends in zeros."""
    a, b = _padded(a, b)
    return float(np.abs(a - b).sum() / 2)


def jensen_shannon(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Jensen-Shannon divergence of two histograms in bits, 0 to 1."""
    middle = (a + b) / 2

    def relative(p: NDArray[np.float64]) -> float:
        seen = p > 0
        return float(np.sum(p[seen] * np.log2(p[seen] / middle[seen])))

    return (relative(a) + relative(b)) / 2


def _bursts_w1(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """First Wasserstein distance of two histograms over 0, 1, 2, ..., relative to b's mean; NaN if one is empty."""
    if not a.sum() or not b.sum():
        return float("nan")
    a, b = _padded(a, b)
    return float(np.abs(np.cumsum(a - b)).sum() / (b @ np.arange(len(b))))


def _medians(cycles: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Median lag and median strength of the recordings that have a cycle."""
    known = np.array([cycle for cycle in cycles if not np.isnan(cycle[0])]).reshape(-1, 2)
    if not len(known):
        return float("nan"), float("nan")
    return float(np.median(known[:, 0])), float(np.median(known[:, 1]))


def _padded(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    length = max(len(a), len(b))
    return np.pad(a, (0, length - len(a))), np.pad(b, (0, length - len(b)))


def _summed(histograms: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    return reduce(lambda a, b: np.add(*_padded(a, b)), histograms).astype(np.float64)


def _normalised(histogram: NDArray[np.float64]) -> NDArray[np.float64]:
    return histogram / max(float(histogram.sum()), 1.0)


def _mean(parts: Sequence[NDArray[np.bool_]]) -> float:
    joined = np.concatenate(parts)
    return float(joined.mean()) if len(joined) else float("nan")

"""How far one recording is from another, event by event: metrics of spike trains and of clouds of events.

van_rossum          sum over trains of (1 / tau) integral (f_a - f_b)^2 dt, f the spikes under exp(-t / tau); divided by
                    half the events of both: 0 for equal recordings, 1 where events stand alone and none of one is near
                    one of the other, more where events of a train follow each other within tau
victor_purpura      cheapest edit of a's trains into b's, 1 to add or remove an event and q |dt| to move it; divided by
                    the events of both: 0 to 1
sliced_wasserstein  mean over directions of the first Wasserstein distance of the projected events (x, y, t), which are
                    taken in shares of the sensor and of the longer duration
pair_log_isi_w1     Wasserstein distance of log10 intervals between successive events of a pixel (us; 1 at least)
pair_rate_tv        total variation between the event rates over time, in bins of 2 ms

A train is all events of one pixel and polarity. Times are compared as they stand. Sources: van Rossum, Neural
Computation 13 (2001), equation 2; Victor and Purpura, Network 8 (1997), D^spike; Rabin et al., SSVM 2011. `realism`
compares how recordings look, these two recordings themselves: of two digits written alike they say that they differ.
The last two are two of its rows, of two recordings alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from event_tools.events import Events
from event_tools.realism import intervals_of, total_variation, wasserstein
from event_tools.rhythm import rate_of

TAU_US = 10_000.0
COST_PER_S = 100.0  # an event moved by 1 / q = 10 ms costs as much as one removed
DIRECTIONS = 64
CLOUD = 50_000  # events of a recording that the sliced distance takes, evenly chosen
UNITS = {
    "van_rossum": "of the events, tau 10 ms",
    "victor_purpura": "of the events, 100 / s",
    "sliced_wasserstein": "of sensor and duration",
    "pair_log_isi_w1": "decades",
    "pair_rate_tv": "share of events",
}
RATE_MS = 2


def van_rossum(a: Events, b: Events, tau_us: float = TAU_US) -> float:
    """Van Rossum distance (squared, per event); tau_us: microseconds above 0. Raises ValueError for two sensors."""
    from event_tools.kernels.trains import van_rossum_square

    _check(a, b)
    if not tau_us > 0:
        raise ValueError(f"expected tau_us above 0 microseconds, got {tau_us}")
    if not len(a) + len(b):
        return 0.0
    t = np.concatenate((a.t, b.t))
    train = np.concatenate((_trains(a), _trains(b)))
    sign = np.repeat(np.array([1, -1], np.int8), (len(a), len(b)))
    order = np.argsort(t, kind="stable")
    square = van_rossum_square(t[order], train[order], sign[order], _train_count(a), float(tau_us))
    return max(0.0, float(square)) / (0.5 * (len(a) + len(b)))


def victor_purpura(a: Events, b: Events, cost_per_s: float = COST_PER_S) -> float:
    """Victor-Purpura distance, per event; cost_per_s: q, 1 / s, 0 or more. Raises ValueError for two sensors."""
    from event_tools.kernels.trains import victor_purpura_sum

    _check(a, b)
    if not cost_per_s >= 0:
        raise ValueError(f"expected cost_per_s of 0 or more per second, got {cost_per_s}")
    if not len(a) + len(b):
        return 0.0
    parts = [part for events in (a, b) for part in _by_train(events)]
    return float(victor_purpura_sum(*parts, cost_per_s / 1e6)) / (len(a) + len(b))


def sliced_wasserstein(a: Events, b: Events, directions: int = DIRECTIONS, seed: int = 0) -> float:
    """Sliced Wasserstein distance of the clouds (x, y, t); NaN where one recording has no events.

    directions: how many random ones are averaged over, drawn by `seed`. Raises ValueError for two sensors.
    """
    _check(a, b)
    if directions < 1:
        raise ValueError(f"expected one direction or more, got {directions}")
    duration = max(a.duration_us, b.duration_us, 1)
    one, two = _cloud(a, duration), _cloud(b, duration)
    axes = np.random.default_rng(seed).normal(size=(directions, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    return float(np.mean([wasserstein(one @ axis, two @ axis) for axis in axes]))


def pair_log_isi_w1(a: Events, b: Events) -> float:
    """Wasserstein distance of log10 intervals; NaN where a recording has no two events in a pixel."""
    _check(a, b)
    return wasserstein(*(np.log10(np.maximum(intervals_of(events)[0], 1)) for events in (a, b)))


def pair_rate_tv(a: Events, b: Events) -> float:
    """Total variation of the rates in bins of 2 ms; NaN where a recording has no events."""
    _check(a, b)
    if not len(a) or not len(b):
        return float("nan")
    rates = [np.add.reduceat(rate, np.arange(0, len(rate), RATE_MS)) for rate in (rate_of(a), rate_of(b))]
    return total_variation(*(rate / rate.sum() for rate in rates))


def distances(a: Sequence[Events], b: Sequence[Events]) -> dict[str, float]:
    """The distances above, each the mean over pairs of a recording of a and one of b in turn that define it.

    Raises ValueError for an empty set or sensors of different size.
    """
    if not a or not b:
        raise ValueError("expected at least one recording on each side, got none")
    pairs = [(a[i % len(a)], b[i % len(b)]) for i in range(max(len(a), len(b)))]
    return {name: _mean([measure(one, two) for one, two in pairs]) for name, measure in MEASURES.items()}


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _check(a: Events, b: Events) -> None:
    if a.sensor_size != b.sensor_size:
        raise ValueError(
            f"expected recordings of one sensor, got {a.sensor_size} and {b.sensor_size}; crop one of them"
        )


def _train_count(events: Events) -> int:
    width, height = events.sensor_size
    return 2 * width * height


def _trains(events: Events) -> NDArray[np.int64]:
    return (events.y.astype(np.int64) * events.sensor_size[0] + events.x) * 2 + events.p


def _by_train(events: Events) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    train = _trains(events)
    counts = np.bincount(train, minlength=_train_count(events))
    return events.t[np.argsort(train, kind="stable")], np.concatenate(([0], np.cumsum(counts)))


def _cloud(events: Events, duration_us: int) -> NDArray[np.float64]:
    """(M, 3) places and times in shares of the sensor and of a duration."""
    some = np.linspace(0, len(events) - 1, min(len(events), CLOUD)).astype(np.int64)
    width, height = events.sensor_size
    return np.stack((events.x[some] / width, events.y[some] / height, events.t[some] / duration_us), 1)


MEASURES = {f.__name__: f for f in (van_rossum, victor_purpura, sliced_wasserstein, pair_log_isi_w1, pair_rate_tv)}

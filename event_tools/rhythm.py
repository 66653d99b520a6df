"""The pace of a recording: events per millisecond, and how they come and go again.

A camera that is moved to and fro, as for N-MNIST (three saccades, 103 ms apart), has a rate that resembles itself
after a cycle. r(l) = sum over i of (x_i - m)(x_{i+l} - m) / sum over i of (x_i - m)^2, with x the events of each
millisecond and m their mean; the cycle is the lag of the highest r after r has first fallen to 0, up to half of the
recording, and r there its strength.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from event_tools.events import Events

RATE_BIN_US = 1000


def rate_of(events: Events) -> NDArray[np.int64]:
    """(M,) events of each millisecond, up to the last event.

    Time is counted from 0, or from the first event where 0 is further off than the recording is long.
    """
    if not len(events):
        return np.zeros(0, np.int64)
    first, last = int(events.t[0]), int(events.t[-1])
    start = 0 if 0 <= first <= last - first else first
    return np.bincount((events.t - start) // RATE_BIN_US)


def cycle_of(rate: NDArray[np.integer]) -> tuple[float, float]:
    """(lag in ms, strength) of a rate's cycle; NaN where it has none."""
    autocorrelation = autocorrelation_of(rate)[: max(len(rate) // 2, 1)]
    fallen = np.flatnonzero(autocorrelation <= 0)
    if not len(fallen):
        return float("nan"), float("nan")
    lag = int(fallen[0] + np.argmax(autocorrelation[fallen[0] :]))
    return float(lag), float(autocorrelation[lag])


def autocorrelation_of(rate: NDArray[np.integer]) -> NDArray[np.float64]:
    """r(l) of every lag, 1 at lag 0; all 1 for a constant rate, which has nothing to compare."""
    x = np.asarray(rate, np.float64) - (np.mean(rate) if len(rate) else 0.0)
    length = len(x)
    if not x.any():
        return np.ones(length)
    spectrum = np.fft.rfft(x, 2 * length)
    products = np.fft.irfft(spectrum * spectrum.conj(), 2 * length)[:length]
    return products / products[0]

"""The background noise of a sensor, which a first stage drops and sampling may put back.

Real recordings have events where nothing moves, of one polarity more than of the other and many of them from few
pixels. A few codes cannot say where, and rounding takes the rest. The map says how many events a training recording
has, in the mean, in a quiet cell: one (bin, polarity, pixel) in which, and in whose 8 neighbours, the first stage makes
none.

    rate[t, p, y, x] = bins[t, p] pixels[p, y, x]
    pixels = (missed + PRIOR) / (expected + PRIOR), expected: what `bins` alone gives the pixel's quiet cells

A product, since most cells have too few events for a rate of their own; not smoothed, since the neighbours of a hot
pixel are not hot.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from neurogen.data.recordings import RecordingData
    from neurogen.model import Model

PRIOR = 1.0  # events as expected that each pixel is taken to have had besides its own
MEASURED = 2000  # recordings that a map is measured on, at most
BATCH = 32
STREAM = 0x6261636B  # of a recording's random numbers, apart from those that round and place


@dataclass(frozen=True, eq=False)
class Background:
    """Mean events of quiet cells. bins: (T, 2) float32 rates; pixels: (2, H, W) float32 factors around 1."""

    bins: NDArray[np.float32]
    pixels: NDArray[np.float32]

    @property
    def rates(self) -> NDArray[np.float64]:
        """(T, 2, H, W) events in a quiet cell."""
        return self.bins[:, :, None, None].astype(np.float64) * self.pixels

    def added_to(self, counts: NDArray[np.integer], seed: int) -> NDArray[np.int32]:
        """Counts (T, 2, H, W) of one recording with Poisson events in its quiet cells; the others stay.

        Draws depend on the seed alone, not on the counts. Raises ValueError for counts of another shape.
        """
        rates = self.rates
        if counts.shape != rates.shape:
            raise ValueError(f"expected counts of shape {rates.shape} as the background has, got {counts.shape}")
        noise = np.random.Generator(np.random.Philox(key=[seed, STREAM])).poisson(rates)
        return (counts + np.where(quiet(counts), noise, 0)).astype(np.int32)


def quiet(counts: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Whether a cell of (..., H, W) and its 8 neighbours in the same frame hold nothing; outside there is nothing."""
    some = np.pad(counts != 0, [(0, 0)] * (counts.ndim - 2) + [(1, 1), (1, 1)])
    rows = some[..., :-2, :] | some[..., 1:-1, :] | some[..., 2:, :]
    return ~(rows[..., :-2] | rows[..., 1:-1] | rows[..., 2:])


def fit_background(pairs: Iterable[tuple[NDArray[np.integer], NDArray[np.integer]]]) -> Background:
    """The map of batches of (real, made) counts, each (N, T, 2, H, W) at the sensor's size, item by item of the same.

    Raises ValueError where there are none.
    """
    missed, cells = np.zeros(()), np.zeros(())
    for real, made in pairs:
        where = quiet(made)
        missed = missed + (real * where).sum(0, dtype=np.int64)
        cells = cells + where.sum(0)
    if not missed.ndim:
        raise ValueError("expected recordings to measure the background of, got none")
    bins = missed.sum((2, 3)) / np.maximum(cells.sum((2, 3)), 1)
    expected = (bins[:, :, None, None] * cells).sum(0)
    pixels = (missed.sum(0) + PRIOR) / (expected + PRIOR)
    bins = missed.sum((2, 3)) / np.maximum((pixels * cells).sum((2, 3)), 1e-12)  # the totals are exact again
    return Background(bins.astype(np.float32), pixels.astype(np.float32))


def measure_background(model: Model, data: RecordingData) -> Background:
    """What a model without a background misses of training recordings, at most MEASURED, evenly chosen."""
    chosen = np.linspace(0, len(data) - 1, min(len(data), MEASURED)).astype(np.int64)

    def pairs() -> Iterable[tuple[NDArray[np.integer], NDArray[np.integer]]]:
        for start in range(0, len(chosen), BATCH):
            index = chosen[start : start + BATCH]
            codes = model.encode(data.batch(index))
            made = model.finish(model.decode(codes), codes, data.labels[index])
            yield data.prepared[data.index[index]], made.counts

    return fit_background(pairs())

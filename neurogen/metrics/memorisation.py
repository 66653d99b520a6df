"""Whether samples copy training items: how near each lies to its nearest one, beside how near real new items lie.

A generator that copies has samples nearer to the training set than held-out real items are. `copied` is the share of
samples that are nearer than 99 of 100 held-out items; 1 % is what real data score. A model may also be near because its
images are smoother than real ones, so look at the picture of pairs.
Distances are Euclidean: of pixels in [0, 1], or of square roots of event counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurogen.metrics.errors import MetricError
from neurogen.metrics.neighbours import nearest

QUANTILE = 0.01  # of the distances of held-out items
FEWEST = 100  # held-out items, for a quantile of 1 %
SAMPLES, HELD_OUT = 2_000, 2_000  # at most: the search goes through all training items
SHOWN = 60  # pairs in the picture, the nearest first

Items = NDArray[np.floating] | NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Copies:
    """figures: as printed; sample, neighbour: (P,) indices of samples and of their nearest training items, the nearest
    pair first."""

    figures: dict[str, float | int]
    sample: NDArray[np.int64]
    neighbour: NDArray[np.int64]


def copies(samples: Items, held_out: Items, train: Items, unit: float = 1.0) -> Copies:
    """Of items (N, ...), (M, ...) and (L, ...), whose distances are given in `unit`s of theirs.

    Raises MetricError for too few held-out ones.
    """
    if len(held_out) < FEWEST:
        raise MetricError(f"expected {FEWEST} held-out items or more for a 1 % quantile, there are {len(held_out)}")
    flat = train.reshape(len(train), -1)
    index, near = nearest(samples.reshape(len(samples), -1), flat)
    _, real = nearest(held_out.reshape(len(held_out), -1), flat)
    near, real = near / unit, real / unit
    threshold = float(np.quantile(real, QUANTILE))
    figures: dict[str, float | int] = {
        "samples_median": float(np.median(near)),
        "samples_least": float(near.min()),
        "held_out_median": float(np.median(real)),
        "held_out_least": float(real.min()),
        "held_out_quantile": threshold,
        "copied": float((near < threshold).mean()),
        "samples": len(samples),
        "held_out": len(held_out),
        "train": len(train),
    }
    order = np.argsort(near, kind="stable")
    return Copies(figures, order, index[order])

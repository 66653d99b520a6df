"""What a model makes of real items: their codes or latents, what comes back, and how far that is.

Errors are sums over blocks in float64, so that they do not depend on how many items are held at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from event_tools import Events, Frames, to_events
from neurogen.data import Data, RecordingData
from neurogen.latent_model import LatentModel
from neurogen.metrics.count_errors import CountErrors
from neurogen.model import Model, Samples

BLOCK = 256  # items held at once; a multiple of the batches of the model


@dataclass(frozen=True, eq=False)
class Rebuilt:
    """index: (N,) which items of the split; codes: their codes or latents, items first; mse: in model units, of
    unrounded output.

    images: (N, C, H, W) uint8, or counts: (N, T, 2, H, W) int32 at the sensor's size with `count_errors`, and how
    events are placed (`Samples.placement`).
    """

    index: NDArray[np.int64]
    codes: Tensor
    mse: float
    images: NDArray[np.uint8] | None = None
    counts: NDArray[np.int32] | None = None
    count_errors: dict[str, float] | None = None
    placement: dict[str, Any] = field(default_factory=dict)

    def recordings(self, data: RecordingData) -> list[Events]:
        """Counts as recordings with the bin edges of the real items, which are `data`'s."""
        assert self.counts is not None
        edges = data.edges[self.index]
        return [
            to_events(Frames(counts, bounds), seed=i, **self.placement)
            for i, (counts, bounds) in enumerate(zip(self.counts, edges, strict=True))
        ]


def rebuild(
    model: Model, data: Data, index: NDArray[np.int64], progress: Callable[[int], None] = lambda _: None
) -> Rebuilt:
    """These items of a split through encoder and decoder; latents that are drawn are keyed by the position."""
    codes: list[Tensor] = []
    made: list[Samples] = []
    squares, values_seen = 0.0, 0
    errors = CountErrors() if isinstance(data, RecordingData) else None
    for start in range(0, len(index), BLOCK):
        part = index[start : start + BLOCK]
        x = data.batch(part)
        code = model.encode(x, seed=start) if isinstance(model, LatentModel) else model.encode(x)
        values = model.decode(code)
        squares += float((values.double() - x.double()).square().sum())
        values_seen += x.numel()
        finished = model.finish(values, code, data.labels[part], seed=start)
        codes.append(model.items_first(code))
        made.append(finished)
        if isinstance(data, RecordingData) and errors is not None:
            fitted, scaling = data.scaling.fitted, data.scaling
            expected = fitted(scaling.undo(values.numpy(), data.labels[part]))
            assert finished.counts is not None
            errors.add(fitted(data.counts[part]), expected, fitted(finished.counts))
        progress(start + len(part))
    joined = torch.cat(codes)
    mse = squares / max(values_seen, 1)
    if errors is None:
        return Rebuilt(index, joined, mse, images=np.concatenate([one.images for one in made]))
    counts = np.concatenate([one.counts for one in made])
    return Rebuilt(index, joined, mse, None, counts, errors.figures(), made[0].placement)

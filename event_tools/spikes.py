"""Frames as spike tensors, time first: (T, N, C, H, W), as norse, snnTorch and SpikingJelly's multi-step layers do.

Dense ones are numpy arrays (torch.from_numpy shares them in turn); sparse ones are coordinates and values, as
torch.sparse_coo_tensor takes them and tonic's `ToSparseTensor` gives them. C is 2, channel 0 = OFF, 1 = ON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_tools.events import Frames


@dataclass(frozen=True, eq=False)
class Sparse:
    """indices: (4, n) int64 rows t, p, y, x in ascending order; values: (n,) counts; shape: (T, 2, H, W)."""

    indices: NDArray[np.int64]
    values: NDArray[np.integer[Any]]
    shape: tuple[int, int, int, int]


def to_spikes(frames: Frames | Sequence[Frames]) -> NDArray[Any]:
    """Counts (T, N, 2, H, W) of N recordings; of one `Frames` the counts themselves, with N = 1.

    Raises ValueError for recordings that differ in shape.
    """
    if isinstance(frames, Frames):
        return frames.counts[:, None]
    if not frames or len({one.counts.shape for one in frames}) > 1:
        shapes = sorted({one.counts.shape for one in frames})
        raise ValueError(f"expected one recording or more of one shape (T, 2, H, W), got {shapes}; bin them alike")
    return np.stack([one.counts for one in frames], axis=1)


def from_spikes(spikes: NDArray[Any], edges: ArrayLike) -> list[Frames]:
    """The N recordings of spikes (T, N, 2, H, W), or one of (T, 2, H, W), in bins between T + 1 edges in microseconds.

    edges: (T + 1,) for all, or (N, T + 1). Integers and bools are shared, whole floats converted to int32. Raises
    ValueError for other shapes, and for values that are not whole or negative.
    """
    spikes, bounds = np.asarray(spikes), np.asarray(edges)
    batch = spikes[:, None] if spikes.ndim == 4 else spikes
    if batch.ndim != 5 or batch.shape[2] != 2:
        raise ValueError(f"expected spikes (T, N, 2, H, W) or (T, 2, H, W), got {spikes.shape}; add a channel for OFF")
    if bounds.ndim == 1:
        bounds = np.broadcast_to(bounds, (batch.shape[1], len(bounds)))
    if bounds.ndim != 2 or len(bounds) != batch.shape[1]:
        raise ValueError(f"expected edges (T + 1,) or ({batch.shape[1]}, T + 1), got {np.asarray(edges).shape}")
    counts = _whole(batch)
    return [Frames(counts[:, i], one) for i, one in enumerate(bounds)]


def to_sparse(frames: Frames) -> Sparse:
    """Where frames count something, and how much."""
    places = np.nonzero(frames.counts)
    return Sparse(np.stack(places).astype(np.int64), frames.counts[places], frames.counts.shape)


def from_sparse(sparse: Sparse, edges: ArrayLike) -> Frames:
    """Frames of coordinates and values, repeated ones summed, in bins between T + 1 edges in microseconds.

    Raises ValueError for coordinates outside the shape, and for sums that are negative or exceed 32 bits.
    """
    indices, values = np.asarray(sparse.indices), _whole(np.asarray(sparse.values))
    top = np.array(sparse.shape)[:, None]
    if indices.shape != (4, len(values)) or len(top) != 4 or ((indices < 0) | (indices >= top)).any():
        raise ValueError(f"expected indices (4, {len(values)}) within the shape {sparse.shape}, got {indices.shape}")
    counts = np.zeros(sparse.shape, np.int64)
    np.add.at(counts, tuple(indices), values.astype(np.int64))
    if counts.size and counts.max() >= 1 << 31:
        raise ValueError(f"expected counts below 2^31, got {counts.max()}")
    return Frames(counts.astype(np.int32), np.asarray(edges))


def _whole(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype == np.bool_:
        return values.view(np.uint8)
    if np.issubdtype(values.dtype, np.integer):
        return values
    with np.errstate(invalid="ignore"):
        counts = values.astype(np.int32)
    if not np.array_equal(counts, values):
        raise ValueError("expected whole numbers of spikes, got others; round them (event_tools.counts.to_counts)")
    return counts

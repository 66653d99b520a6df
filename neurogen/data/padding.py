"""Items of different length as one batch, time first, padded with zeros at the end: for DataLoader's collate_fn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from event_tools import Events
from neurogen.data.errors import DataError


class FrameBatch(NamedTuple):
    """frames: (T, N, ...) with T the longest item's; lengths: (N,) int64, steps of each; labels: (N,) int64."""

    frames: Tensor
    lengths: Tensor
    labels: Tensor


class EventBatch(NamedTuple):
    """events: (L, N, 4) int64, columns t (microseconds), x, y, p; lengths: (N,) int64, events of each; labels: (N,)."""

    events: Tensor
    lengths: Tensor
    labels: Tensor


def pad_frames(batch: Sequence[tuple[Tensor, int]]) -> FrameBatch:
    """A batch of (frames (T_i, 2, H, W), label); raises DataError where frames differ in more than their length."""
    items = [frames for frames, _ in batch]
    sizes = sorted({tuple(frames.shape[1:]) for frames in items})
    if len(sizes) > 1:
        raise DataError(
            f"expected frames of one size in a batch, got {' and '.join(map(str, sizes))}; "
            f"crop or downsample the recordings in the data set's transform"
        )
    return FrameBatch(*_padded(items), _labels(batch))


def pad_events(batch: Sequence[tuple[Events, int]]) -> EventBatch:
    """A batch of (events, label)."""
    columns = [np.stack((e.t, e.x, e.y, e.p), 1, dtype=np.int64, casting="safe") for e, _ in batch]
    return EventBatch(*_padded([torch.from_numpy(table) for table in columns]), _labels(batch))


def _padded(items: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    lengths = [len(item) for item in items]
    padded = items[0].new_zeros((max(lengths), len(items), *items[0].shape[1:]))
    for i, item in enumerate(items):
        padded[: len(item), i] = item
    return padded, torch.tensor(lengths)


def _labels(batch: Sequence[tuple[object, int]]) -> Tensor:
    return torch.tensor([label for _, label in batch])

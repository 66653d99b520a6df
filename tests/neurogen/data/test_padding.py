"""Batches of items of different length, by hand."""

from __future__ import annotations

import pytest
import torch

from event_tools import Events
from neurogen.data import DataError, pad_events, pad_frames


def test_frames_are_stacked_time_first_and_padded_with_zeros() -> None:
    short, long = torch.full((2, 2, 3, 4), 5.0), torch.full((3, 2, 3, 4), 7.0)
    frames, lengths, labels = pad_frames([(short, 1), (long, 0), (short[:0], 2)])
    assert frames.shape == (3, 3, 2, 3, 4) and frames.dtype == torch.float32
    assert lengths.tolist() == [2, 3, 0] and labels.tolist() == [1, 0, 2]
    assert frames[:, :, 0, 0, 0].tolist() == [[5, 7, 0], [5, 7, 0], [0, 7, 0]]


def test_frames_of_two_sensors_are_refused() -> None:
    with pytest.raises(DataError, match=r"\(2, 3, 4\) and \(2, 4, 4\); crop"):
        pad_frames([(torch.zeros(1, 2, 3, 4), 0), (torch.zeros(1, 2, 4, 4), 0)])


def test_events_are_rows_of_t_x_y_p_padded_with_zeros() -> None:
    far = 1 << 60
    one, two = Events([far], [65535], [3], [1], (65536, 4)), Events([1, 2], [0, 1], [2, 3], [0, 1], (4, 4))
    batch = pad_events([(one, 4), (two, 5), (Events.empty((4, 4)), 6)])
    assert batch.events.dtype == batch.lengths.dtype == batch.labels.dtype == torch.int64
    assert batch.events[:, 0].tolist() == [[far, 65535, 3, 1], [0, 0, 0, 0]]
    assert batch.events[:, 1].tolist() == [[1, 0, 2, 0], [2, 1, 3, 1]]
    assert batch.events.shape == (2, 3, 4)
    assert batch.lengths.tolist() == [1, 2, 0] and batch.labels.tolist() == [4, 5, 6]

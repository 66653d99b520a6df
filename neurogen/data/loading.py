"""Recordings for PyTorch's own loader: a folder or .zip of them as raw events, or as frames (T, 2, H, W).

```python
from functools import partial
from torch.utils.data import DataLoader
from event_tools import to_frames
from event_tools.augment import drop_events, time_jitter
from event_tools.filters import denoise
from neurogen.data import EventDataset, FrameDataset, pad_frames

def augment(events, seed):
    return time_jitter(drop_events(events, 0.1, seed), 500, seed)

recordings = EventDataset("N-MNIST", "train", transform=denoise, augment=augment)
data = FrameDataset(recordings, partial(to_frames, steps=10))
loader = DataLoader(data, batch_size=16, shuffle=True, num_workers=2, collate_fn=pad_frames)
for epoch in range(2):
    recordings.set_epoch(epoch)
    for frames, lengths, labels in loader:  # (T, N, 2, H, W), (N,), (N,)
        ...
```
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from event_tools import Events, Frames
from event_tools.augment import derived_seed
from event_tools.datasets import Recordings, open_recordings


class EventDataset(Dataset[tuple[Events, int]]):
    """Item i is (events, label); read when asked for, in any worker of a loader.

    recordings: those of `open_recordings`, or its path (a folder or .zip); split, sensor_size: see there. transform:
    any filter of `event_tools`, applied first. augment: (events, seed) -> events, given a seed that depends on `seed`,
    the epoch and the recording's name alone, so that neither workers nor order of reading change what it draws.
    Raises EventFileError for what cannot be read.
    """

    def __init__(
        self,
        recordings: Recordings | str | Path,
        split: str | None = None,
        *,
        sensor_size: tuple[int, int] | None = None,
        transform: Callable[[Events], Events] | None = None,
        augment: Callable[[Events, int], Events] | None = None,
        seed: int = 0,
    ) -> None:
        if not isinstance(recordings, Recordings):
            recordings = open_recordings(recordings, split, sensor_size)
        elif split is not None or sensor_size is not None:
            raise ValueError("expected split and sensor_size with a path, got them with recordings that are open")
        self.recordings, self.transform, self.augment, self.seed = recordings, transform, augment, seed
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # one number for all workers, even those kept

    def __len__(self) -> int:
        return len(self.recordings)

    def __getitem__(self, i: int) -> tuple[Events, int]:
        """(events, label) of recording i; raises EventFileError."""
        events, label = self.recordings[i], int(self.recordings.labels[i])
        if self.transform is not None:
            events = self.transform(events)
        if self.augment is not None:
            events = self.augment(events, derived_seed(self.seed, int(self._epoch), self.recordings.names[i]))
        return events, label

    @property
    def classes(self) -> tuple[str, ...]:
        """The name of each label."""
        return self.recordings.classes

    @property
    def labels(self) -> NDArray[np.int64]:
        """(n,) indices into `classes`, known without reading."""
        return self.recordings.labels

    def set_epoch(self, epoch: int) -> None:
        """Make `augment` draw anew; call it before each pass, also with workers that persist."""
        self._epoch.fill_(epoch)


class FrameDataset(Dataset[tuple[Tensor, int]]):
    """Item i is (frames, label), frames (T, 2, H, W) float32, of the events of an `EventDataset`.

    binning: `functools.partial(to_frames, steps=10)` or anything else that makes `Frames` or an array with time first.
    transform: applied to the tensor.
    """

    def __init__(
        self,
        events: EventDataset,
        binning: Callable[[Events], Frames | NDArray[np.generic]],
        transform: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.events, self.binning, self.transform = events, binning, transform

    def __len__(self) -> int:
        return len(self.events)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        """(frames, label) of recording i; raises EventFileError."""
        events, label = self.events[i]
        binned = self.binning(events)
        frames = torch.from_numpy(np.array(binned.counts if isinstance(binned, Frames) else binned, np.float32))
        return (frames if self.transform is None else self.transform(frames)), label

    @property
    def classes(self) -> tuple[str, ...]:
        """The name of each label."""
        return self.events.classes

    @property
    def labels(self) -> NDArray[np.int64]:
        """(n,) indices into `classes`, known without reading."""
        return self.events.labels

"""The data of a run: training items by step, prepared while the step before runs, and items held out."""

from __future__ import annotations

import sys

import torch
from torch import Tensor

from neurogen.config_system import SystemConfig
from neurogen.data import RecordingData, open_data
from neurogen.data.prefetch import Prefetch
from neurogen.processes import rank, world
from neurogen.training.device import moved
from neurogen.training.distributed import leader_first
from neurogen.training.order import batch_draws, batch_items

AUGMENT_STREAM = 2  # of step_seed


class RunItems:
    """train, held_out: the splits (`data.open_data`); held_out is validation where items are held out, else test.

    crop_note: what a crop of recordings costs, in a sentence, or None.
    """

    def __init__(self, config: SystemConfig, device: torch.device) -> None:
        self.config, self.device = config, device
        held_out, steps = "validation" if config.data.validation else "test", config.model.steps  # type: ignore[attr-defined]
        with leader_first():
            self.train = open_data(config.data, steps, "train")
            self.held_out = open_data(config.data, steps, held_out, self.train.scaling)
        self.crop_note = self.train.crop_note if isinstance(self.train, RecordingData) else None
        if self.crop_note and rank() == 0:
            sys.stderr.write(f"data: {self.crop_note}\n")
        self._ahead = Prefetch(self._batch, self._items, config.train.steps)

    def __len__(self) -> int:
        return len(self.train)

    def take(self, index: Tensor, step: int) -> Tensor:
        """Values (n, ...) of these training items as the network takes them at a step, augmented, on the device."""
        return moved(self._ahead.take(index, step), self.device)

    def labels(self, index: Tensor) -> Tensor:
        """(n,) int64 of these training items, on the device."""
        return moved(torch.from_numpy(self.train.labels[index.numpy()]), self.device)

    def _batch(self, index: Tensor, step: int) -> Tensor:
        """Still on the CPU; made in another thread."""
        config = self.config
        draws = batch_draws(config.seed, AUGMENT_STREAM, step, config.train.batch_size, rank(), world())
        x = self.train.batch(index, draws)
        return x.pin_memory() if self.device.type == "cuda" else x

    def _items(self, step: int) -> Tensor:
        return batch_items(self.config.seed, step, len(self), self.config.train.batch_size, rank(), world())

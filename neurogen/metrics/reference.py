"""Real data to measure against: the splits of one data set, opened when a metric asks for them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from neurogen.config import RECORDINGS, DataConfig
from neurogen.data import Data, ImageData, RecordingData, Scaling, open_data
from neurogen.metrics.errors import MetricError

NATIVE = {"mnist": (28, 1), "fashion": (28, 1), "cifar10": (32, 3)}  # size in pixels and channels, as published
BINS = 10  # time bins of recordings that no model has counted
HELD_OUT = 6  # one training item in so many is held out where a baseline needs real items that nothing was made from


class Reference:
    """One data set. config: where it lies and its size; steps: T of recordings; scaling: a model's own, if there is
    one."""

    def __init__(self, config: DataConfig, steps: int = BINS, scaling: Scaling | None = None) -> None:
        self.config, self.steps, self.scaling = config, steps, scaling
        self._splits: dict[str, Data] = {}

    @property
    def name(self) -> str:
        """The data set's name, as `data.name` has it."""
        return self.config.name

    @property
    def makes_recordings(self) -> bool:
        """Whether its items are recordings (else images)."""
        return self.name in RECORDINGS

    def split(self, name: str) -> Data:
        """train, validation (held out of the training items) or test; raises DataError."""
        if name not in self._splits:
            self._splits[name] = open_data(self.config, self.steps, name, self.scaling)
        return self._splits[name]

    def images(self, split: str) -> NDArray[np.uint8]:
        """(N, C, H, W) uint8 of a split; raises MetricError for a data set of recordings."""
        data = self.split(split)
        if not isinstance(data, ImageData):
            raise MetricError(f"expected a data set of images, {self.name} has recordings; take a metric of recordings")
        return data.pixels

    def recordings(self, split: str) -> RecordingData:
        """A split of recordings; raises MetricError for a data set of images."""
        data = self.split(split)
        if not isinstance(data, RecordingData):
            raise MetricError(f"expected a data set of recordings, {self.name} has images; take a metric of images")
        return data

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.split("test").classes

    def holding_out(self) -> Reference:
        """The same data with a part of the training items held out, for data that no model was trained on."""
        held_out = len(self.split("train")) // HELD_OUT
        return Reference(self.config.model_copy(update={"validation": held_out}), self.steps, self.scaling)

    def at_native_size(self) -> Reference:
        """The same items at the size in which the data set is published, where that is known; else itself."""
        if self.name not in NATIVE:
            return self
        size, channels = NATIVE[self.name]
        own = {"resolution": size, "channels": channels, "fit": "none"}
        if all(getattr(self.config, key) == value for key, value in own.items()):
            return self
        return Reference(self.config.model_copy(update=own))


def open_reference(dataset: str | None, data: Path | None, size: int | None = None, channels: int = 3) -> Reference:
    """The data set of that name at its native size, or at `size` pixels with `channels` where it has none.

    Raises MetricError where none is named, and for an unknown name that of the nearest known one.
    """
    if dataset is None:
        raise MetricError("expected --dataset NAME, the data set to compare with, such as mnist; got none")
    names = get_args(DataConfig.model_fields["name"].annotation)
    if dataset not in names:
        raise MetricError(f"expected --dataset to be one of {', '.join(names)}, got {dataset}")
    path = None if data is None else str(data)
    if dataset in RECORDINGS:  # crop at the smallest size: any sensor has it, and counts keep the sensor's size
        return Reference(DataConfig(name=dataset, path=path, resolution=8, channels=2, fit="crop", scale=1.0))
    native = NATIVE.get(dataset, (size or 64, channels))
    fit = "none" if dataset in NATIVE else "adm"
    return Reference(DataConfig(name=dataset, path=path, resolution=native[0], channels=native[1], fit=fit))

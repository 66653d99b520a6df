"""A source, what it is compared with, and what its metrics share: each is made once, when the first asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from event_tools import Events
from neurogen.data import Data
from neurogen.metrics.autoencoder_figures import Extractor, drawn_index, open_extractor
from neurogen.metrics.errors import MetricError
from neurogen.metrics.protocols import PROTOCOLS, Protocol
from neurogen.metrics.rebuilding import Rebuilt, rebuild
from neurogen.metrics.sources import Generated, Source
from neurogen.model import Model
from neurogen.progress import bar

MOST_REAL = 10_000  # real recordings read at once


@dataclass(frozen=True)
class Settings:
    """count: None takes the protocol's; extractor, inception: paths of weights, None the shipped and the cached ones;
    out: a folder for pictures."""

    protocol: Protocol = PROTOCOLS["standard"]
    count: int | None = None
    seed: int = 0
    extractor: Path | None = None
    inception: Path | None = None
    out: Path | None = None
    device: str = "cpu"


class Evaluation:
    """What the sections measure.

    reference: the data set at its native size; own: the same items as the model has them (`model` sections only).
    """

    def __init__(self, source: Source, settings: Settings) -> None:
        self.source, self.settings = source, settings
        self.own = source.reference
        self.reference = source.reference.at_native_size()
        self._rebuilt: dict[str, Rebuilt] = {}
        self._real: dict[str, Generated] = {}

    @property
    def model(self) -> Model:
        """The model; only sections that need one ask."""
        assert self.source.model is not None
        return self.source.model

    @property
    def default_count(self) -> int:
        """How many are generated where the user does not say."""
        protocol = self.settings.protocol
        return protocol.recordings if self.own.makes_recordings else protocol.images

    @property
    def generates(self) -> bool:
        """Whether there is anything to generate: a first stage alone has nothing."""
        return self.source.model is None or self.source.model.generates

    @property
    def encodes(self) -> bool:
        """Whether there is a model with an encoder, which gives real items back."""
        return self.source.model is not None and self.source.model.encodes

    @property
    def made(self) -> int | None:
        """How many were generated; None where no metric asked for any."""
        return len(self.generated) if "generated" in self.__dict__ else None

    @cached_property
    def generated(self) -> Generated:
        """What the source makes."""
        count = self.settings.count
        with bar("samples", count or self.default_count) as progress:
            return self.source.make(count, self.default_count, self.settings.seed, progress)

    @property
    def images(self) -> NDArray[np.uint8]:
        """Generated images (N, C, H, W)."""
        assert self.generated.images is not None
        return self.generated.images

    @property
    def recordings(self) -> list[Events]:
        """Generated recordings."""
        assert self.generated.recordings is not None
        return self.generated.recordings

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels of what was generated; raises MetricError where it has none."""
        if self.generated.labels is None:
            raise MetricError(
                f"expected labels for this metric, {self.source.what} has none: {self.generated.unlabelled}"
            )
        return self.generated.labels

    @cached_property
    def extractor(self) -> Extractor:
        """Of the autoencoder distance."""
        return open_extractor(self.reference.name, self.settings.extractor)

    def real_recordings(self, split: str) -> Generated:
        """Real recordings of a split and their labels; MOST_REAL of them, spread evenly, where there are more."""
        if split not in self._real:
            data = self.own.recordings(split)
            index = np.linspace(0, len(data) - 1, min(len(data), MOST_REAL)).astype(np.int64)
            with bar(f"reading, {split}", len(index)) as progress:
                read = []
                for i in index:
                    read.append(data.recording(int(i)))
                    progress(len(read))
            self._real[split] = Generated(recordings=read, labels=data.labels[index])
        return self._real[split]

    def rebuilt_recordings(self) -> list[Events]:
        """The test recordings as the model gives them back."""
        return self.rebuilt("test").recordings(self.own.recordings("test"))

    def rebuilt(self, split: str) -> Rebuilt:
        """The test split through encoder and decoder, all of it; or as many training items, drawn by the seed, as are
        generated."""
        if split not in self._rebuilt:
            data = self.own.split(split)
            count = len(data) if split == "test" else self.settings.count or self.default_count
            index = np.arange(len(data)) if split == "test" else drawn_index(len(data), count, self.settings.seed)
            self._rebuilt[split] = self._through(data, index, split)
        return self._rebuilt[split]

    def _through(self, data: Data, index: NDArray[np.int64], split: str) -> Rebuilt:
        with bar(f"reconstructing, {split}", len(index)) as progress:
            return rebuild(self.model, data, index, progress)

"""What is evaluated: a model, a folder of images or of recordings, or a baseline, each as arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from event_tools import EventFileError, Events
from event_tools.datasets import Recordings, open_recordings
from neurogen import pretrained
from neurogen.data import ImageData
from neurogen.metrics import baselines
from neurogen.metrics.autoencoder_figures import drawn_index
from neurogen.metrics.errors import MetricError
from neurogen.metrics.image_folder import ImageFolder, open_images
from neurogen.metrics.reference import Reference, open_reference
from neurogen.model import Model, load
from neurogen.sampling import RECORDING_FORMATS

Progress = Callable[[int], None]
BASELINE = "baseline:"


@dataclass(frozen=True, eq=False)
class Generated:
    """What is measured: images (N, C, H, W) uint8 or N recordings; labels: (N,) int64 into the reference's classes, or
    None, and then `unlabelled` says why. edges: (T + 1,) microseconds, of a model's recordings."""

    images: NDArray[np.uint8] | None = None
    recordings: list[Events] | None = None
    labels: NDArray[np.int64] | None = None
    unlabelled: str = ""
    edges: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.images if self.images is not None else self.recordings or ())


class Source(Protocol):
    """kind: model, images, recordings or baseline; what: as the user named it."""

    kind: str
    what: str
    reference: Reference
    model: Model | None

    def make(self, count: int | None, default: int, seed: int, progress: Progress) -> Generated:
        """`count` items, keyed by the seed; None takes `default`, or all where a folder has fewer."""


@dataclass(frozen=True, eq=False)
class ModelSource:
    """Samples of a model; of one that cannot be sampled, a first stage alone, only reconstructions can be measured."""

    what: str
    model: Model
    reference: Reference
    kind: str = "model"

    def make(self, count: int | None, default: int, seed: int, progress: Progress) -> Generated:
        if not self.model.generates:
            raise MetricError(f"expected a model with a prior to draw samples, {self.what} has none")
        samples = self.model.sample(count or default, seed=seed, progress=progress)
        labels = samples.labels if self.model.conditional else None
        why = "" if self.model.conditional else "it knows no labels"
        recordings = samples.recordings() if self.model.makes_recordings else None
        return Generated(samples.images, recordings, labels, why, samples.edges)


@dataclass(frozen=True, eq=False)
class ImageFolderSource:
    """Pictures on disk."""

    what: str
    folder: ImageFolder
    reference: Reference
    kind: str = "images"
    model: Model | None = None

    def make(self, count: int | None, default: int, seed: int, progress: Progress) -> Generated:
        index = _drawn(len(self.folder), count, default, seed, "images")
        images = self.folder.read(index, self.reference.at_native_size().config.channels, progress)
        labels, why = self.folder.labels(index, self.reference.classes)
        return Generated(images, labels=labels, unlabelled=why)


@dataclass(frozen=True, eq=False)
class RecordingFolderSource:
    """Recordings on disk."""

    what: str
    recordings: Recordings
    reference: Reference
    kind: str = "recordings"
    model: Model | None = None

    def make(self, count: int | None, default: int, seed: int, progress: Progress) -> Generated:
        index = _drawn(len(self.recordings), count, default, seed, "recordings")
        made = []
        for i in index:
            made.append(self.recordings[int(i)])
            progress(len(made))
        names, classes = self.recordings.classes, self.reference.classes
        unknown = sorted(set(names) - set(classes))
        if unknown:
            return Generated(recordings=made, unlabelled=f"its folder {unknown[0]} is no class of the data set")
        labels = np.array([classes.index(names[k]) for k in self.recordings.labels[index]], np.int64)
        return Generated(recordings=made, labels=labels)


@dataclass(frozen=True, eq=False)
class BaselineSource:
    """What needs no network; `reference` holds out a part of the training items."""

    what: str
    name: baselines.BaselineName
    reference: Reference
    kind: str = "baseline"
    model: Model | None = None

    def make(self, count: int | None, default: int, seed: int, progress: Progress) -> Generated:
        rng, kind = np.random.default_rng([seed, 0xBA5E]), self.name.kind
        split = "validation" if kind == "real" else "train"
        data = self.reference.split(split)
        if not isinstance(data, ImageData):
            if kind != "real":
                raise MetricError(f"expected a data set of images for {self.what}, got {self.reference.name}")
            index = _drawn(len(data), count, default, seed, "held-out recordings")
            return Generated(recordings=[data.recording(int(i)) for i in index], labels=data.labels[index])
        if kind in ("mean", "pca"):
            wanted = count or default
            train = data.pixels
            images = (
                baselines.mean_images(train, wanted) if kind == "mean" else baselines.pca_gaussian(train, wanted, rng)
            )
            return Generated(images, unlabelled="this baseline has no classes")
        index = _drawn(len(data), count, default, seed, "real images")
        images, labels = data.pixels[index], data.labels[index]
        if kind == "blurred":
            images = baselines.blurred(images, self.name.sigma)
        elif kind == "noisy":
            images = baselines.noisy(images, self.name.sigma, rng)
        return Generated(images, labels=labels)


def open_source(what: str, dataset: str | None, data: Path | None, device: str = "cpu") -> Source:
    """A shipped model's name, a run or model folder, a folder of images or recordings, or baseline:NAME.

    dataset, data: what to compare with, and where it lies; a model knows both itself. Raises MetricError,
    ModelFolderError or DataError, each one sentence.
    """
    if what.startswith(BASELINE):
        name = baselines.parse_baseline(what.removeprefix(BASELINE))
        return BaselineSource(what, name, open_reference(dataset, data).holding_out())
    path = pretrained.find(what) or Path(what)
    if any((path / place).is_file() for place in ("config.yaml", "weights.safetensors", "model/config.yaml")):
        model = load(what, device)
        config = model.config.data
        if dataset is not None and dataset != config.name:
            raise MetricError(f"expected --dataset {config.name}, which {what} was trained on, got {dataset}; leave it")
        config = config if data is None else config.model_copy(update={"path": str(data)})
        return ModelSource(what, model, Reference(config, model.config.model.steps, model.stored.scaling))
    if not path.exists():
        raise MetricError(
            f"expected a model, a run, a folder of images or recordings or {BASELINE}NAME, "
            f"{pretrained.unknown(what, pretrained.model_names())}"
        )
    if (recordings := _recordings_at(path)) is not None:
        return RecordingFolderSource(what, recordings, open_reference(dataset, data))
    folder = open_images(path)
    reference = open_reference(dataset, data, folder.size[0], folder.channels)
    if reference.makes_recordings:
        raise MetricError(f"expected --dataset to name images as {what} has, got {dataset}, which has recordings")
    return ImageFolderSource(what, folder, reference)


def _recordings_at(path: Path) -> Recordings | None:
    """The recordings of a folder, one copy of each where `neurogen sample` wrote several formats; None without any."""
    copies = [path / top for top, _ in RECORDING_FORMATS.values() if top != "Train" and (path / top).is_dir()]
    try:
        return open_recordings(copies[0] if copies and not (path / "Train").is_dir() else path)
    except EventFileError:
        return None


def _drawn(there: int, count: int | None, default: int, seed: int, what: str) -> NDArray[np.int64]:
    """`count` different items in a random order, keyed by the seed; raises MetricError for more than there are."""
    if count is not None and count > there:
        raise MetricError(f"expected --count up to {there}, the {what} that there are, got {count}; lower it")
    return drawn_index(there, count or default, seed)

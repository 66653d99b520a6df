"""Recordings as counts: read once, binned, kept as small integers in memory-mapped files."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from event_tools import EventFileError, Events, to_frames
from event_tools.bulk import nmnist_counts
from event_tools.datasets import Recordings, open_recordings
from event_tools.filters import denoise
from neurogen.config import DataConfig
from neurogen.data.augment import augmented
from neurogen.data.cache import built, cache_dir, source_key
from neurogen.data.errors import DataError
from neurogen.data.scaling import Scaling, measure_scale

BULK = 1024  # recordings prepared at once
LAYOUT = 1  # of the cache; raise it when what is stored changes


@dataclasses.dataclass(frozen=True)
class RecordingData:
    """One split of a set of recordings.

    counts: (N, T, 2, H, W) small integers at the sensor's size; edges: (N, T + 1) int64 microseconds; labels: (N,)
    int64; index: which of the source's recordings these are.
    """

    source: Recordings
    counts: NDArray[np.integer]
    edges: NDArray[np.int64]
    labels: NDArray[np.int64]
    index: NDArray[np.int64]
    scaling: Scaling
    shift: int
    flip: bool
    kind = "recordings"

    def __len__(self) -> int:
        return len(self.index)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.source.classes

    @property
    def sensor_size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.counts.shape[-1], self.counts.shape[-2]

    @property
    def lost_share(self) -> float:
        """Share of events outside the central crop; 0 without one."""
        if self.scaling.fit == "resize":
            return 0.0
        kept = total = 0
        for start in range(0, len(self), BULK):
            part = np.asarray(self.counts[start : start + BULK])
            total += int(part.sum())
            kept += int(self.scaling.fitted(part).sum())
        return 1 - kept / max(total, 1)

    def batch(self, index: NDArray[np.int64] | Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Items in model units, (n, T, 2, R, R) float32; shifted and flipped by the generator where one is given."""
        x = torch.from_numpy(self.scaling.apply(self.counts[np.asarray(index)]))
        if generator is None:
            return x
        return augmented(x, self.shift, self.flip, self.scaling.background, generator)

    def recording(self, i: int) -> Events:
        """The original recording of item i."""
        return self.source[int(self.index[i])]


def open_recording_data(config: DataConfig, path: Path, steps: int, split: str | None, sensor: tuple[int, int] | None) -> RecordingData:
    """A whole split, without hold-outs; scaling as configured (measured on this split where it has to be)."""
    try:
        source = open_recordings(path, split, sensor)
        folder = _prepared(source, config, steps, split)
    except EventFileError as error:
        raise DataError(str(error)) from None
    counts = np.load(folder / "counts.npy", mmap_mode="r")
    edges = np.load(folder / "edges.npy")
    size = (counts.shape[-1], counts.shape[-2])
    scaling = Scaling(config.scaling, config.scale or 1.0, config.fit, config.resolution, size)
    if config.scaling == "dataset" and config.scale is None:
        scaling = dataclasses.replace(scaling, scale=measure_scale(counts))
    if config.scaling == "recording":
        scaling = dataclasses.replace(scaling, peaks=_class_peaks(scaling, counts, source.labels, len(source.classes)))
    index = np.arange(len(source))
    return RecordingData(source, counts, edges, source.labels, index, scaling, config.shift, config.flip)


def subset(data: RecordingData, index: NDArray[np.int64]) -> RecordingData:
    """Some of the items, in that order."""
    counts = data.counts if np.array_equal(index, np.arange(len(data))) else data.counts[index]
    return dataclasses.replace(data, counts=counts, edges=data.edges[index], labels=data.labels[index], index=data.index[index])


def _prepared(source: Recordings, config: DataConfig, steps: int, split: str | None) -> Path:
    settings = {"layout": LAYOUT, "steps": steps, "binning": config.binning, "denoise": config.denoise, "split": split}
    key = source_key(source.path, **settings, sensor=source.sensor_size)
    return built(cache_dir() / "recordings" / key, lambda folder: _prepare(source, config, steps, folder))


def _prepare(source: Recordings, config: DataConfig, steps: int, folder: Path) -> None:
    counts, edges = _bulk(source, config, steps) if source.all_nmnist else _one_by_one(source, config, steps)
    small = counts.astype(np.uint8) if counts.max(initial=0) < 256 else counts.astype(np.uint16)
    np.save(folder / "counts.npy", small)
    np.save(folder / "edges.npy", edges)
    (folder / "about.json").write_text(json.dumps({"source": str(source.path), "recordings": len(source)}))


def _bulk(source: Recordings, config: DataConfig, steps: int) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    parts, buffers = [], []
    threads, size = os.cpu_count() or 1, source.sensor_size or (34, 34)
    for data in source.raw_bytes():
        buffers.append(data)
        if len(buffers) == BULK or len(parts) * BULK + len(buffers) == len(source):
            try:
                parts.append(nmnist_counts(buffers, steps, config.binning, config.denoise, size, threads))
            except ValueError as error:
                raise DataError(_named(source, str(error), len(parts) * BULK)) from None
            buffers = []
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _named(source: Recordings, text: str, start: int) -> str:
    """The kernel's "recording i: ..." with the file's name."""
    head, _, reason = text.partition(": ")
    number = head.removeprefix("recording ")
    return f"{source.path / source.names[start + int(number)]}: {reason}" if number.isdigit() else text


def _one_by_one(source: Recordings, config: DataConfig, steps: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    frames = []
    for events in source:
        kept = denoise(events, mode=config.denoise) if config.denoise != "off" else events
        frames.append(to_frames(kept, steps, config.binning))
        if frames[-1].sensor_size != frames[0].sensor_size:
            raise DataError(f"{source.path}: expected recordings of one sensor, got {frames[0].sensor_size} and {frames[-1].sensor_size}")
    return np.stack([f.counts for f in frames]), np.stack([f.edges for f in frames])


def _class_peaks(scaling: Scaling, counts: NDArray[np.integer], labels: NDArray[np.int64], classes: int) -> tuple[float, ...]:
    peaks = np.concatenate([scaling.measure_peaks(np.asarray(counts[i : i + BULK])) for i in range(0, len(counts), BULK)])
    overall = float(np.median(peaks))
    return tuple(float(np.median(peaks[labels == k])) if (labels == k).any() else overall for k in range(classes))

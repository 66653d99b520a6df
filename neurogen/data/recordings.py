"""Recordings as counts: read once, binned, kept as small integers in memory-mapped files."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import os
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from event_tools import EventFileError, Events, to_frames
from event_tools.bulk import nmnist_counts
from event_tools.datasets import Recordings
from event_tools.filters import denoise
from neurogen.config import DataConfig
from neurogen.data.array_file import HIGHEST, save_parts
from neurogen.data.augment import augmented
from neurogen.data.cache import built, cache_dir, source_key
from neurogen.data.errors import DataError
from neurogen.data.scaling import Scaling, measure_class_peaks, measure_scale
from neurogen.draws import Draws
from neurogen.progress import bar

BULK = 256  # recordings prepared at once
LAYOUT = 2  # of the cache; raise it when what is stored changes
NMNIST_SENSOR = (34, 34)
Prepared = tuple[NDArray[np.integer], NDArray[np.int64]]  # counts and bin edges


@dataclasses.dataclass(frozen=True)
class RecordingData:
    """One split of a set of recordings: items `index` of a source.

    prepared: (M, T, 2, H, W) counts of the whole source at the sensor's size, memory-mapped; prepared_edges: (M, T + 1)
    int64 microseconds; source_labels: (M,) int64; index: (N,) which of the source's recordings are in this split.
    """

    source: Recordings
    prepared: NDArray[np.integer]
    prepared_edges: NDArray[np.int64]
    source_labels: NDArray[np.int64]
    classes: tuple[str, ...]
    index: NDArray[np.int64]
    scaling: Scaling
    shift: int = 0
    flip: bool = False
    kind = "recordings"

    def __len__(self) -> int:
        return len(self.index)

    @property
    def counts(self) -> NDArray[np.integer]:
        """(N, T, 2, H, W) small integers; the mapped file itself where the split is the whole source, else a copy."""
        return self.prepared if len(self.index) == len(self.prepared) else self.prepared[self.index]

    @property
    def edges(self) -> NDArray[np.int64]:
        """(N, T + 1) bin edges in microseconds."""
        return self.prepared_edges[self.index]

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) indices into `classes`."""
        return self.source_labels[self.index]

    @property
    def sensor_size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.prepared.shape[-1], self.prepared.shape[-2]

    @cached_property
    def event_counts(self) -> NDArray[np.int64]:
        """(N,) counted events of each recording."""
        parts = [self.prepared[part].sum((1, 2, 3, 4), dtype=np.int64) for part in self._parts()]
        return np.concatenate(parts)

    @cached_property
    def lost_share(self) -> float:
        """Share of the counted events that lie outside the central crop; 0 without one."""
        if self.scaling.fit != "crop":
            return 0.0
        kept = sum(int(self.scaling.fitted(self.prepared[part]).sum(dtype=np.int64)) for part in self._parts())
        total = int(self.event_counts.sum())
        return 1 - kept / total if total else 0.0

    @property
    def crop_note(self) -> str | None:
        """How many events the central crop loses, in a sentence; None without one."""
        if self.scaling.fit != "crop":
            return None
        (width, height), size, total = self.sensor_size, self.scaling.resolution, int(self.event_counts.sum())
        lost = f"{round(self.lost_share * total):,} of {total:,} counted events ({self.lost_share:.2%})"
        return f"the central {size}x{size} of {width}x{height} pixels loses {lost}"

    def batch(self, index: NDArray[np.int64] | Tensor, generator: Draws | None = None) -> Tensor:
        """Items in model units, (n, T, 2, R, R) float32; shifted and flipped by the generator where one is given."""
        x = torch.from_numpy(self.scaling.apply(self.prepared[self.index[np.asarray(index)]]))
        if generator is None:
            return x
        return augmented(x, self.shift, self.flip, self.scaling.background, generator)

    def recording(self, i: int) -> Events:
        """The original recording of item i."""
        return self.source[int(self.index[i])]

    def _parts(self) -> Iterator[NDArray[np.int64]]:
        for start in range(0, len(self.index), BULK):
            yield self.index[start : start + BULK]


def prepared_counts(source: Recordings, config: DataConfig, steps: int) -> Prepared:
    """(counts (M, T, 2, H, W) memory-mapped, edges (M, T + 1)) of every recording, from the cache or made now."""
    names = source.names if source.path.is_dir() else ()
    settings = {"layout": LAYOUT, "steps": steps, "binning": config.binning, "denoise": config.denoise}
    settings |= {} if source.convention in (None, "jaer") else {"convention": source.convention}
    try:
        key = source_key(source.path, names, **settings, chosen=_digest(source), sensor=source.sensor_size)
        folder = built(cache_dir() / "recordings" / key, lambda place: _prepare(source, config, steps, place))
    except EventFileError as error:
        raise DataError(str(error)) from None
    except OSError as error:
        raise DataError(f"{error.filename or source.path}: expected a recording, {error.strerror}") from None
    return np.load(folder / "counts.npy", mmap_mode="r"), np.load(folder / "edges.npy")


def measured_scaling(config: DataConfig, data: RecordingData) -> Scaling:
    """The scaling that the configuration asks for, measured on the items of `data` where it has to be."""
    scaling = data.scaling
    if config.scaling == "recording":
        peaks = measure_class_peaks(scaling, data.prepared, data.index, data.labels, len(data.classes))
        return dataclasses.replace(scaling, peaks=peaks)
    if config.scale is not None:
        return scaling
    return dataclasses.replace(scaling, scale=measure_scale(data.prepared, data.index, scaling))


def _digest(source: Recordings) -> str:
    """What tells two selections from one archive apart."""
    return f"{len(source)} {source.names[0]} {source.names[-1]}"


def _prepare(source: Recordings, config: DataConfig, steps: int, folder: Path) -> None:
    edges = np.empty((len(source), steps + 1), np.int64)

    def counts() -> Iterator[NDArray[np.integer]]:
        done = 0
        with bar("preparing recordings", len(source)) as progress:
            for part, bounds in (_bulk if source.all_nmnist else _one_by_one)(source, config, steps):
                edges[done : done + len(part)] = bounds
                done += len(part)
                progress(done)
                yield part

    save_parts(folder / "counts.npy", counts(), len(source))
    np.save(folder / "edges.npy", edges)


def _bulk(source: Recordings, config: DataConfig, steps: int) -> Iterator[Prepared]:
    """Counts of BULK recordings at a time; threads read, unpack and bin the blocks to come."""
    threads, size = os.cpu_count() or 1, source.sensor_size or NMNIST_SENSOR
    own = threading.local()

    def block(start: int) -> Prepared:
        if not hasattr(own, "source"):
            own.source = copy.copy(source)  # with an open archive of its own
        buffers = list(own.source.raw_bytes(start, start + BULK))
        try:
            return nmnist_counts(buffers, steps, config.binning, config.denoise, size, threads=1)
        except ValueError as error:
            raise DataError(_named(source, str(error), start)) from None

    starts = iter(range(0, len(source), BULK))
    with ThreadPoolExecutor(threads) as pool:
        coming = deque(pool.submit(block, start) for start in itertools.islice(starts, threads + 1))
        while coming:
            yield coming.popleft().result()
            coming.extend(pool.submit(block, start) for start in itertools.islice(starts, 1))


def _named(source: Recordings, text: str, start: int) -> str:
    """The kernel's "recording i: ..." with the file's name."""
    head, _, reason = text.partition(": ")
    number = head.removeprefix("recording ")
    if not number.isdigit():
        return text
    advice = "take a fresh copy of it or remove it"
    if source.sensor_size is None:
        advice += ", or give another sensor's size by event-tools convert --to aedat4 --sensor WIDTHxHEIGHT"
    return f"{source.path / source.names[start + int(number)]}: {reason}; {advice}"


def _one_by_one(source: Recordings, config: DataConfig, steps: int) -> Iterator[Prepared]:
    size: tuple[int, int] | None = None
    for name, events in zip(source.names, source, strict=True):
        if size not in (None, events.sensor_size):
            raise DataError(
                f"{source.path / name}: expected a sensor of {size[0]}x{size[1]} as in the files before, "
                f"got {events.sensor_size[0]}x{events.sensor_size[1]}"
            )
        size = events.sensor_size
        kept = events if config.denoise == "off" else denoise(events, mode=config.denoise)
        frames = to_frames(kept, steps, config.binning)
        if frames.counts.max(initial=0) > HIGHEST:
            raise DataError(
                f"{source.path / name}: expected counts up to {HIGHEST}, a pixel has {frames.counts.max()} in one bin; "
                f"raise model.steps"
            )
        yield frames.counts[None], frames.edges[None]

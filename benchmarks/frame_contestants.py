"""Who makes frames in benchmarks/event_frames.py: each contestant a function of a folder of events or of files."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

STEPS, FILE_STEPS = 16, 10
SPAN_US = 10_000_000
Run = Callable[[], Any]
Variants = dict[str, tuple[Run, Callable[[Any], Any] | None]]  # "rule, how": what is timed, its result as counts


def columns_of(folder: Path) -> tuple[Any, Any, Any, Any, int, int]:
    return *(np.load(folder / f"{name}.npy") for name in "txyp"), *json.loads((folder / "size.json").read_text())


def as_they_are(result: Any) -> Any:
    return result


def by_event_tools(folder: Path) -> Variants:
    from event_tools import Events, Frames, time_surfaces, to_events, to_frames, voxel_grid

    *columns, width, height = columns_of(folder)
    events = Events(*columns, (width, height))
    out = np.empty((STEPS, 2, height, width), np.int32)
    at = events.t[0] + SPAN_US // STEPS * np.arange(1, STEPS + 1)
    frames: Frames = to_frames(events, STEPS)

    def counts(frames: Frames) -> Any:
        return frames.counts

    return {
        "time, fresh": (lambda: to_frames(events, STEPS), counts),
        "time, reused": (lambda: to_frames(events, STEPS, out=out), counts),
        "count, fresh": (lambda: to_frames(events, STEPS, "count"), counts),
        "count, reused": (lambda: to_frames(events, STEPS, "count", out=out), counts),
        "published, fresh": (lambda: to_frames(events, STEPS, "published"), counts),
        "voxel grid": (lambda: voxel_grid(events, STEPS), None),
        "time surfaces": (lambda: time_surfaces(events, 50_000, at), None),
        "time, back to events": (lambda: to_events(frames), lambda again: to_frames(again, edges=frames.edges).counts),
    }


def by_tonic(folder: Path) -> Variants:
    from tonic import transforms

    t, x, y, p, width, height = columns_of(folder)
    array = np.empty(len(t), [("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", np.int8)])
    array["t"], array["x"], array["y"], array["p"] = t, x, y, p
    size = (width, height, 2)
    surfaces = transforms.ToTimesurface(size, dt=SPAN_US // STEPS, tau=50_000)
    grid = transforms.ToVoxelGrid(size, n_time_bins=STEPS)  # the last to run: it changes p
    return {
        "published, fresh (n_time_bins)": (lambda: transforms.ToFrame(size, n_time_bins=STEPS)(array), as_they_are),
        "time surfaces": (lambda: surfaces(array), None),
        "voxel grid": (lambda: grid(array), None),
    }


def by_spikingjelly(folder: Path) -> Variants:
    integrate = spikingjelly_utils().integrate_events_by_fixed_frames_number
    t, x, y, p, width, height = columns_of(folder)
    events = {"t": t, "x": x, "y": y, "p": p}
    return {
        "time, fresh": (lambda: integrate(events, "time", STEPS, height, width), as_they_are),
        "count, fresh (number)": (lambda: integrate(events, "number", STEPS, height, width), as_they_are),
    }


def spikingjelly_utils() -> Any:
    """Its file alone: the package `spikingjelly.datasets` imports torchaudio, which is often absent."""
    found = find_spec("spikingjelly")
    if found is None or found.origin is None:
        raise ImportError("spikingjelly")
    spec = spec_from_file_location("spikingjelly.datasets.utils", Path(found.origin).parent / "datasets" / "utils.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec.loader.exec_module(module)
    return module


def by_evutils(folder: Path) -> Variants:
    """Pictures of 8 bits that stop at 255, in three colours, one per slice of time."""
    from evutils.dense import histogram

    t, x, y, p, width, height = columns_of(folder)
    array = np.empty(len(t), [("t", np.int64), ("x", np.uint16), ("y", np.uint16), ("p", np.uint8)])
    array["t"], array["x"], array["y"], array["p"] = t, x, y, p

    def pictures() -> list[Any]:
        return [histogram(array[a:b], width=width, height=height) for a, b in slices(t)]

    return {"time, fresh (8 bits)": (pictures, lambda all: np.stack(all)[..., [2, 0]].transpose(0, 3, 1, 2))}


def by_numpy(folder: Path) -> Variants:
    """What one writes by hand."""
    t, x, y, p, width, height = columns_of(folder)
    plane = width * height

    def one_bincount() -> Any:
        cell = steps_of(t) * 2 * plane + p.astype(np.int64) * plane + y.astype(np.int64) * width + x
        return np.bincount(cell, minlength=STEPS * 2 * plane).reshape(STEPS, 2, height, width)

    def a_slice(a: int, b: int) -> Any:
        cell = p[a:b].astype(np.int32) * plane + y[a:b].astype(np.int32) * width + x[a:b]
        return np.bincount(cell, minlength=2 * plane)

    def add_at() -> Any:
        counts = np.zeros((STEPS, 2, height, width), np.int32)
        np.add.at(counts, (steps_of(t), p, y, x), 1)
        return counts

    def sliced() -> Any:
        return np.stack([a_slice(a, b) for a, b in slices(t)]).reshape(STEPS, 2, height, width)

    return {
        "time, fresh (np.add.at)": (add_at, as_they_are),
        "time, fresh (np.bincount)": (one_bincount, as_they_are),
        "time, fresh (np.bincount per slice)": (sliced, as_they_are),
    }


def by_numba(folder: Path) -> Variants:
    """One loop over the events that walks along the edges."""
    from numba import njit

    t, x, y, p, width, height = columns_of(folder)
    edges = edges_of(t)

    @njit
    def loop(t: Any, x: Any, y: Any, p: Any, edges: Any, counts: Any) -> Any:
        step = 0
        for i in range(len(t)):
            while step < len(counts) - 1 and t[i] >= edges[step + 1]:
                step += 1
            counts[step, p[i], y[i], x[i]] += 1
        return counts

    def fresh() -> Any:
        return loop(t, x, y, p, edges, np.zeros((STEPS, 2, height, width), np.int32))

    return {"time, fresh (running bin)": (fresh, as_they_are)}


def edges_of(t: Any) -> Any:
    return t[0] + (t[-1] - t[0]) // STEPS * np.arange(STEPS)


def steps_of(t: Any) -> Any:
    return np.searchsorted(edges_of(t), t, side="right") - 1


def slices(t: Any) -> Iterator[tuple[int, int]]:
    bounds = [*np.searchsorted(t, edges_of(t)).tolist(), len(t)]
    return pairwise(bounds)


def files_by_event_tools(folder: Path) -> Variants:
    from event_tools import read, to_frames
    from event_tools.bulk import nmnist_counts

    paths = sorted(folder.glob("*.bin"))

    def bulk(denoise: str = "off") -> Any:
        return nmnist_counts([path.read_bytes() for path in paths], FILE_STEPS, denoise=denoise)[0]

    def one_by_one(by: str) -> Any:
        return np.stack([to_frames(read(path), FILE_STEPS, by).counts for path in paths])

    return {
        "time, bulk": (bulk, as_they_are),
        "denoised, bulk": (lambda: bulk("published"), None),
        "time, one by one": (lambda: one_by_one("time"), as_they_are),
        "count, one by one": (lambda: one_by_one("count"), as_they_are),
    }


def files_by_tonic(folder: Path) -> Variants:
    from tonic.io import events_struct, read_mnist_file
    from tonic.transforms import ToFrame

    paths, transform = sorted(folder.glob("*.bin")), ToFrame((34, 34, 2), n_time_bins=FILE_STEPS)

    def one_by_one() -> Any:
        return np.stack([transform(read_mnist_file(path, dtype=events_struct)) for path in map(str, paths)])

    return {"published, one by one (n_time_bins)": (one_by_one, as_they_are)}


def files_by_spikingjelly(folder: Path) -> Variants:
    utils = spikingjelly_utils()
    paths = [str(path) for path in sorted(folder.glob("*.bin"))]

    def one_by_one(split_by: str) -> Any:
        cut = utils.integrate_events_by_fixed_frames_number
        return np.stack([cut(utils.load_ATIS_bin(path), split_by, FILE_STEPS, 34, 34) for path in paths])

    return {
        "time, one by one": (lambda: one_by_one("time"), as_they_are),
        "count, one by one (number)": (lambda: one_by_one("number"), as_they_are),
    }


CONTESTANTS: dict[str, Callable[[Path], Variants]] = {
    "event_tools": by_event_tools,
    "evutils": by_evutils,
    "tonic": by_tonic,
    "spikingjelly": by_spikingjelly,
    "numpy": by_numpy,
    "numba": by_numba,
}
FILE_CONTESTANTS: dict[str, Callable[[Path], Variants]] = {
    "event_tools": files_by_event_tools,
    "tonic": files_by_tonic,
    "spikingjelly": files_by_spikingjelly,
}

"""How independent projects read event files, one function each, for `readers.py` and `event_files.py`.

Runs in a peer's own environment: needs numpy and the peer, nothing of neurogen. A reader takes the path and the
sensor's (width, height) and gives t (us), x, y, p and the size where the file told it. Readers go through what the
project offers to its users; where that is broken, through its next layer down, which the name says ("internals").
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS = ("t", "x", "y", "p")
Size = tuple[int, int]
Read = tuple[Any, Any, Any, Any, Size | None]  # t, x, y, p and the sensor's size where the reader tells it
Reader = tuple[Callable[[str, Size], Read], str]  # and the package it comes from


def tonic_bin(path: str, size: Size) -> Read:
    from tonic.io import events_struct, read_mnist_file

    events = read_mnist_file(path, dtype=events_struct)
    return events["t"], events["x"], events["y"], events["p"], None


def tonic_aedat2(path: str, size: Size) -> Read:
    """Below its public read_dvs_128, which always fails: the header function gives one value more than it takes."""
    from tonic.io import get_aer_events_from_file, read_aedat_header_from_file

    version, start = read_aedat_header_from_file(path)[:2]
    events = get_aer_events_from_file(path, version, start)
    address, t = events["address"], events["timeStamp"]
    return t, (address >> 8) & 127, (address >> 1) & 127, address & 1, None


def spikingjelly_aedat2(path: str, size: Size) -> Read:
    """What its CIFAR10-DVS data set reads its files with."""
    from spikingjelly.datasets.cifar10_dvs import _load_origin_data

    events = _load_origin_data(path)
    return events["t"], events["x"], events["y"], events["p"], None


def tonic_aedat4(path: str, size: Size) -> Read:
    from tonic.io import read_aedat4

    events = read_aedat4(path)
    return events["t"], events["x"], events["y"], events["on"], None


def spikingjelly_file(name: str) -> Any:
    """A file of its `datasets` alone: the package imports torchaudio, which is often absent."""
    from importlib.util import find_spec, module_from_spec, spec_from_file_location

    found = find_spec("spikingjelly")
    assert found is not None and found.origin is not None
    spec = spec_from_file_location(
        f"spikingjelly.datasets.{name}", Path(found.origin).parent / "datasets" / f"{name}.py"
    )
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec.loader.exec_module(module)
    return module


def spikingjelly_bin(path: str, size: Size) -> Read:
    events = spikingjelly_file("utils").load_ATIS_bin(path)
    return events["t"], events["x"], events["y"], events["p"], None


def spikingjelly_aedat3(path: str, size: Size) -> Read:
    events = spikingjelly_file("utils").load_aedat_v3(path)
    return events["t"], events["x"], events["y"], events["p"], None


def aedat(path: str, size: Size) -> Read:
    import aedat

    decoder = aedat.Decoder(path)
    stream_id, stream = next((i, one) for i, one in decoder.id_to_stream().items() if one["type"] == "events")
    packets = [packet["events"] for packet in decoder if packet["stream_id"] == stream_id]
    columns = (np.concatenate([packet[name] for packet in packets] or [np.zeros(0, int)]) for name in ("t", "x", "y"))
    on = np.concatenate([packet["on"] for packet in packets] or [np.zeros(0, int)])
    return *columns, on, (stream["width"], stream["height"])


def dv_processing(path: str, size: Size) -> Read:
    import dv_processing

    recording = dv_processing.io.MonoCameraRecording(path)
    columns: list[list[Any]] = [[np.zeros(0, np.int64)] for _ in COLUMNS]
    while recording.isRunning():
        batch = recording.getNextEventBatch()
        if batch is None:
            break
        places = batch.coordinates()
        parts = (batch.timestamps(), places[:, 0], places[:, 1], batch.polarities())
        for kept, part in zip(columns, parts, strict=True):
            kept.append(np.asarray(part).astype(np.int64))
    t, x, y, p = (np.concatenate(kept) for kept in columns)
    width, height = recording.getEventResolution()
    return t, x, y, p, (width, height)


def dv_aedat4(path: str, size: Size) -> Read:
    from dv import AedatFile

    with AedatFile(path) as file:
        parts = [part for part in file["events"].numpy()]  # list() would ask for its length, which raises
        events = (
            np.concatenate(parts) if parts else np.zeros(0, [(n, int) for n in ("timestamp", "x", "y", "polarity")])
        )
        height, width = file["events"].size
    return events["timestamp"], events["x"], events["y"], events["polarity"], (width, height)


def dv_legacy(path: str, size: Size) -> Read:
    from dv import LegacyAedatFile

    with LegacyAedatFile(path) as file:
        rows = [(event.timestamp, event.x, event.y, event.polarity) for event in file]
    table = np.array(rows, np.int64).reshape(-1, 4)
    return table[:, 0], table[:, 1], table[:, 2], table[:, 3], None


def faery(path: str, size: Size) -> Read:
    import faery

    stream = faery.events_stream_from_file(path, dimensions_fallback=size)
    parts = list(stream)
    names = ("t", "x", "y", "on")
    events = np.concatenate(parts) if parts else np.zeros(0, [(name, int) for name in names])
    return *(events[name] for name in names), stream.dimensions()


def faery_csv(path: str, size: Size) -> Read:
    import faery

    events = np.concatenate(list(faery.events_stream_from_file(path, dimensions_fallback=size)))
    return events["t"], events["x"], events["y"], events["on"], None


def evutils(path: str, size: Size) -> Read:
    from evutils.io import EventReader

    reader = EventReader(path, max_events=1 << 62, width=size[0], height=size[1])
    events = reader.read_all()
    return events["t"], events["x"], events["y"], events["p"], None


def eventcv(path: str, size: Size) -> Read:
    import eventcv

    stream = eventcv.load(path, sensor_size=size, time_unit="us")
    table = stream.numpy()  # x, y, t (us), p
    return table[:, 2], table[:, 0], table[:, 1], table[:, 3] > 0, None


def evlib(path: str, size: Size) -> Read:
    import evlib

    frame = evlib.load_events(path, sort=False).collect()
    t = frame["t"].dt.total_microseconds().to_numpy()
    return t, frame["x"].to_numpy(), frame["y"].to_numpy(), frame["polarity"].to_numpy() > 0, None


def _expelliarmus(encoding: str) -> Callable[[str, Size], Read]:
    def read(path: str, size: Size) -> Read:
        from expelliarmus import Wizard

        events = Wizard(encoding=encoding).read(path)
        return events["t"], events["x"], events["y"], events["p"], None

    return read


def event_stream(path: str, size: Size) -> Read:
    import event_stream

    with event_stream.Decoder(path) as decoder:
        parts = list(decoder)
        size = decoder.width, decoder.height
    events = np.concatenate(parts)
    return events["t"], events["x"], events["y"], events["on"], size


def aestream(path: str, size: Size) -> Read:
    import aestream

    events = aestream.FileInput(path, size).load()
    return events["timestamp"], events["x"], events["y"], events["polarity"], None


def h5py_dsec(path: str, size: Size) -> Read:
    """Through DSEC's index of milliseconds, ten at a time, as its own slicer does."""
    import h5py

    with h5py.File(path) as file:
        index, group = file["ms_to_idx"][:].astype(int), file["events"]
        edges = [*range(0, len(index) - 1, 10), len(index) - 1]
        parts = [slice(index[start], index[stop]) for start, stop in pairwise(edges)]
        parts.append(slice(index[-1] if len(index) else 0, None))  # an event exactly on the last millisecond
        t, x, y, p = (np.concatenate([group[name][part] for part in parts]) for name in COLUMNS)
        told = int(file.attrs["width"]), int(file.attrs["height"])
        return t.astype(np.int64) + file["t_offset"][()], x, y, p, told


def h5py_rpg(path: str, size: Size) -> Read:
    import h5py

    with h5py.File(path) as file:
        t, x, y, p = (file["events"][name][:] for name in ("ts", "xs", "ys", "ps"))
    return np.rint(t * 1e6), x, y, p > 0, None


def tonic_dsec(path: str, size: Size) -> Read:
    """What tonic's DSEC data set does with an events file."""
    import h5py
    import hdf5plugin  # noqa: F401

    with h5py.File(path) as file:
        t = file["events"]["t"][()].astype(np.int64)
        t += file["t_offset"][()]
        x, y, p = (file["events"][name][()] for name in ("x", "y", "p"))
    return t, x, y, p, None


def numpy_npz(path: str, size: Size) -> Read:
    with np.load(path) as file:
        return file["t"], file["x"], file["y"], file["p"], None


def numpy_npy(path: str, size: Size) -> Read:
    events = np.load(path)
    return events["t"], events["x"], events["y"], events["p"], None


def numpy_csv(path: str, size: Size) -> Read:
    table = np.loadtxt(path, dtype=np.int64, delimiter=",", comments="#", skiprows=_heading(path), ndmin=2)
    return table[:, 0], table[:, 1], table[:, 2], table[:, 3], None


def _heading(path: str) -> int:
    """Lines up to the one that names the columns."""
    with open(path) as file:
        return next(i for i, line in enumerate(file) if line[0] not in "#") + 1


READERS: dict[str, dict[str, Reader]] = {
    "nmnist": {"tonic": (tonic_bin, "tonic"), "spikingjelly": (spikingjelly_bin, "spikingjelly")},
    "bs2": {"spikingjelly": (spikingjelly_bin, "spikingjelly")},
    "aedat2": {"evutils": (evutils, "evutils"), "eventcv": (eventcv, "eventcv"), "dv": (dv_legacy, "dv")},
    "aedat2 spikingjelly": {"spikingjelly internals": (spikingjelly_aedat2, "spikingjelly")},
    "aedat2 tonic": {"tonic internals": (tonic_aedat2, "tonic")},
    "aedat3": {
        "spikingjelly": (spikingjelly_aedat3, "spikingjelly"),
        "dv": (dv_legacy, "dv"),
        "evutils": (evutils, "evutils"),
        "evlib": (evlib, "evlib"),
    },
    "aedat4": {
        "aedat": (aedat, "aedat"),
        "dv-processing": (dv_processing, "dv-processing"),
        "dv": (dv_aedat4, "dv"),
        "faery": (faery, "faery"),
        "tonic": (tonic_aedat4, "tonic"),
        "evutils": (evutils, "evutils"),
        "eventcv": (eventcv, "eventcv"),
        "evlib": (evlib, "evlib"),
        "aestream": (aestream, "aestream"),
    },
    "hdf5 dsec": {
        "h5py": (h5py_dsec, "h5py"),
        "tonic's DSEC": (tonic_dsec, "tonic"),
        "evutils": (evutils, "evutils"),
        "eventcv": (eventcv, "eventcv"),
        "evlib": (evlib, "evlib"),
    },
    "hdf5 rpg": {"h5py": (h5py_rpg, "h5py"), "evlib": (evlib, "evlib"), "eventcv": (eventcv, "eventcv")},
    "dat": {
        "faery": (faery, "faery"),
        "evutils": (evutils, "evutils"),
        "eventcv": (eventcv, "eventcv"),
        "expelliarmus": (_expelliarmus("dat"), "expelliarmus"),
        "aestream": (aestream, "aestream"),
    },
    "evt2": {
        "faery": (faery, "faery"),
        "evutils": (evutils, "evutils"),
        "eventcv": (eventcv, "eventcv"),
        "evlib": (evlib, "evlib"),
        "expelliarmus": (_expelliarmus("evt2"), "expelliarmus"),
    },
    "evt21": {"faery": (faery, "faery"), "evutils": (evutils, "evutils")},
    "evt3": {
        "faery": (faery, "faery"),
        "evutils": (evutils, "evutils"),
        "eventcv": (eventcv, "eventcv"),
        "evlib": (evlib, "evlib"),
        "expelliarmus": (_expelliarmus("evt3"), "expelliarmus"),
        "aestream": (aestream, "aestream"),
    },
    "es": {"event_stream": (event_stream, "event_stream"), "faery": (faery, "faery")},
    "npz": {
        "numpy": (numpy_npz, "numpy"),
        "evutils": (evutils, "evutils"),
        "eventcv": (eventcv, "eventcv"),
    },
    "npy": {"numpy": (numpy_npy, "numpy")},
    "csv": {
        "numpy": (numpy_csv, "numpy"),
        "faery": (faery_csv, "faery"),
        "evutils": (evutils, "evutils"),
        "eventcv": (eventcv, "eventcv"),
    },
}

"""Recordings opened by independent readers, event by event beside event_tools.

    python benchmarks/readers.py SAMPLES [--python /path/to/python ...] [--timeout 120]

SAMPLES is a folder as `neurogen sample` writes it: every .bin, .aedat4 and .h5 below it is read by each reader of its
format (tonic, SpikingJelly; aedat, dv-processing, tonic; h5py) and all events are compared. A reader runs in a process
of its own, with the first of the given interpreters that has it installed, so that it need not share neurogen's
environment (pip install aedat dv-processing h5py tonic), and is stopped after the time-out: some readers wait for ever
on a packet table that they do not like. One JSON line per format and reader: files, events, equal (true, false, or null
where the reader is not installed), and why not. The exit status is 1 where events differ or a reader fails.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

NOT_INSTALLED = 3  # exit status of a reading process without its reader
COLUMNS = ("t", "x", "y", "p")
Read = tuple[Any, Any, Any, Any, tuple[int, int] | None]  # t, x, y, p and the sensor's size where the reader tells it


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", type=Path)
    parser.add_argument("--python", nargs="+", default=[sys.executable], help="interpreters that have readers")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for one reader and format")
    parser.add_argument("--read", nargs=3, metavar=("FORMAT", "READER", "OUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        return read_all(*options.read)
    lines = []
    for format, (suffix, readers) in READERS.items():
        files = sorted(options.samples.rglob(f"*{suffix}"))
        for reader in readers if files else ():
            line = {"benchmark": "readers", "format": format, "reader": reader, "files": len(files)}
            lines.append(line | compared(format, reader, files, options.python, options.timeout))
            print(json.dumps(lines[-1]), flush=True)
    if not lines:
        print(f"readers: {options.samples}: expected recordings (.bin, .aedat4, .h5), found none", file=sys.stderr)
    return 0 if lines and all(line["equal"] is not False for line in lines) else 1


def compared(format: str, reader: str, files: list[Path], pythons: list[str], timeout: float) -> dict[str, Any]:
    """What one reader makes of the files, beside event_tools."""
    from event_tools import read

    with TemporaryDirectory() as folder:
        out = Path(folder) / "read.npz"
        names = json.dumps([str(path.absolute()) for path in files])
        for python in pythons:
            command = [python, __file__, ".", "--read", format, reader, str(out)]
            try:
                result = subprocess.run(
                    command, input=names, capture_output=True, text=True, timeout=timeout, check=False
                )
            except subprocess.TimeoutExpired:
                return {"equal": False, "why": f"the reader did not end in {timeout:g} s"}
            if result.returncode == NOT_INSTALLED:
                continue
            if result.returncode:
                return {"equal": False, "why": (result.stderr.strip().splitlines() or ["it crashed"])[-1]}
            theirs = np.load(out)
            break
        else:
            return {"equal": None, "why": "not installed"}
    starts = np.concatenate(([0], np.cumsum(theirs["lengths"])))
    unequal, total = [], 0
    for i, path in enumerate(files):
        ours = read(path, sensor_size=(256, 240) if format == "bin" else None)
        total += len(ours)
        part = slice(starts[i], starts[i + 1])
        size = tuple(theirs["sizes"][i].tolist())
        if theirs["failed"][i]:
            unequal.append(f"{path.name}: {theirs['failed'][i]}")
        elif not all(np.array_equal(theirs[name][part], getattr(ours, name).astype(np.int64)) for name in COLUMNS):
            unequal.append(f"{path.name}: {len(ours)} events of ours, {theirs['lengths'][i]} of theirs differ")
        elif size not in ((0, 0), ours.sensor_size):
            unequal.append(f"{path.name}: sensor {ours.sensor_size}, theirs {size}")
    told = {"version": str(theirs["version"]), "events": total, "equal": not unequal}
    return told | {"unequal_files": len(unequal), "why": unequal[0] if unequal else None}


def read_all(format: str, reader: str, out: str) -> int:
    """Read the files named on stdin and keep their columns; runs in the reader's own environment."""
    function, package = READERS[format][1][reader]
    try:
        told = version(package)
    except ImportError:
        return NOT_INSTALLED
    parts: list[list[Any]] = []
    lengths, sizes, failed = [], [], []
    for path in json.loads(sys.stdin.read()):
        try:
            *columns, size = function(path)
            failed.append("")
        except Exception as error:  # any reader may fail in its own way, which is what we want to know
            columns, size = [np.zeros(0, np.int64)] * 4, None
            failed.append(f"{type(error).__name__}: {' '.join(str(error).split())}"[:200])
        parts.append([np.asarray(column).astype(np.int64) for column in columns])
        lengths.append(len(parts[-1][0]))
        sizes.append(size or (0, 0))
    columns = {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(COLUMNS)}
    np.savez(out, lengths=lengths, sizes=sizes, failed=failed, version=told, **columns)
    return 0


def by_tonic_bin(path: str) -> Read:
    from tonic.io import events_struct, read_mnist_file

    events = read_mnist_file(path, dtype=events_struct)
    return events["t"], events["x"], events["y"], events["p"], None


def by_spikingjelly(path: str) -> Read:
    # Its file alone: the package `spikingjelly.datasets` imports torchaudio, which is often absent.
    from importlib.util import find_spec, module_from_spec, spec_from_file_location

    found = find_spec("spikingjelly")
    assert found is not None and found.origin is not None
    spec = spec_from_file_location("spikingjelly.datasets.utils", Path(found.origin).parent / "datasets" / "utils.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec.loader.exec_module(module)
    events = module.load_ATIS_bin(path)
    return events["t"], events["x"], events["y"], events["p"], None


def by_aedat(path: str) -> Read:
    import aedat

    decoder = aedat.Decoder(path)
    stream_id, stream = next((i, one) for i, one in decoder.id_to_stream().items() if one["type"] == "events")
    packets = [packet["events"] for packet in decoder if packet["stream_id"] == stream_id]
    names = ("t", "x", "y", "on")
    columns = [np.concatenate([packet[name] for packet in packets] or [np.zeros(0, np.int64)]) for name in names]
    return columns[0], columns[1], columns[2], columns[3], (stream["width"], stream["height"])


def by_dv_processing(path: str) -> Read:
    import dv_processing

    recording = dv_processing.io.MonoCameraRecording(path)
    columns: list[list[Any]] = [[np.zeros(0, np.int64)] for _ in COLUMNS]
    while recording.isRunning():
        batch = recording.getNextEventBatch()
        if batch is None:
            break
        places = batch.coordinates()
        for kept, part in zip(
            columns, (batch.timestamps(), places[:, 0], places[:, 1], batch.polarities()), strict=True
        ):
            kept.append(np.asarray(part).astype(np.int64))
    t, x, y, p = (np.concatenate(kept) for kept in columns)
    width, height = recording.getEventResolution()
    return t, x, y, p, (width, height)


def by_tonic_aedat4(path: str) -> Read:
    from tonic.io import read_aedat4

    events = read_aedat4(path)
    return events["t"], events["x"], events["y"], events["on"], None


def by_h5py(path: str) -> Read:
    """Through DSEC's index of milliseconds, ten at a time, as its own slicer does."""
    import h5py

    with h5py.File(path) as file:
        index, group = file["ms_to_idx"][:].astype(int), file["events"]
        edges = [*range(0, len(index) - 1, 10), len(index) - 1]
        parts = [slice(index[start], index[stop]) for start, stop in pairwise(edges)]
        parts.append(slice(index[-1] if len(index) else 0, None))  # an event exactly on the last millisecond
        t, x, y, p = (np.concatenate([group[name][part] for part in parts]) for name in COLUMNS)
        size = int(file.attrs["width"]), int(file.attrs["height"])
        return t.astype(np.int64) + file["t_offset"][()], x, y, p, size


Reader = tuple[Callable[[str], Read], str]  # and the package it comes from
READERS: dict[str, tuple[str, dict[str, Reader]]] = {
    "bin": (".bin", {"tonic": (by_tonic_bin, "tonic"), "spikingjelly": (by_spikingjelly, "spikingjelly")}),
    "aedat4": (
        ".aedat4",
        {
            "aedat": (by_aedat, "aedat"),
            "dv-processing": (by_dv_processing, "dv-processing"),
            "tonic": (by_tonic_aedat4, "tonic"),
        },
    ),
    "hdf5": (".h5", {"h5py": (by_h5py, "h5py")}),
}


if __name__ == "__main__":
    sys.exit(main())

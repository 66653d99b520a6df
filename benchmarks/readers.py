"""Written recordings opened by independent readers, event by event beside what was written.

    python benchmarks/readers.py [SAMPLES] [--python /path/to/python ...] [--timeout 120] [--table]

Without SAMPLES, real recordings (where the data are) and made ones are written in every format that event_tools writes;
SAMPLES is a folder as `neurogen sample` writes it, whose .bin, .aedat4, .h5 and .aedat files are read instead. Each
reader of a format (`peers.py`) runs in a process of its own, with the first of the given interpreters that has it
installed, so that it need not share neurogen's environment, and is stopped after the time-out: some readers wait for
ever on a packet table that they do not like.
One JSON line per format and reader: files, events, equal (true, false, or null where the reader is not installed), and
why not; --table prints them for people. The exit status is 1 where events of SAMPLES differ or a reader of them fails;
formats that a reader is known not to read are part of the table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from peers import COLUMNS, READERS

if TYPE_CHECKING:
    from event_tools import Events

NOT_INSTALLED = 3  # exit status of a reading process without its reader
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Case:
    """A way to write: the suffix, the options of `event_tools.write`, whose readers are tried, the largest sensor."""

    suffix: str
    readers: str
    options: dict[str, Any] = field(default_factory=dict)
    largest: tuple[int, int] = (1280, 720)


CASES = {
    "N-MNIST .bin": Case(".bin", "nmnist", {}, (256, 240)),
    "SLAYER .bs2": Case(".bs2", "bs2", {}, (256, 240)),
    "AEDAT 2.0 DVS128, tonic": Case(".aedat", "aedat2 tonic", {"convention": "tonic"}, (128, 128)),
    "AEDAT 2.0 DVS128, spikingjelly": Case(".aedat", "aedat2 spikingjelly", {"convention": "spikingjelly"}, (128, 128)),
    "AEDAT 2.0 DVS128, jaer": Case(".aedat", "aedat2", {}, (128, 128)),
    "AEDAT 2.0 DAVIS346, jaer": Case(".aedat", "aedat2", {"camera": "davis346"}, (346, 260)),
    "AEDAT 3.1": Case(".aedat", "aedat3", {"format": "aedat3"}),
    "AEDAT 4.0 LZ4": Case(".aedat4", "aedat4"),
    "AEDAT 4.0 none": Case(".aedat4", "aedat4", {"compression": "none"}),
    "AEDAT 4.0 ZSTD": Case(".aedat4", "aedat4", {"compression": "zstd"}),
    "HDF5 DSEC": Case(".h5", "hdf5 dsec"),
    "HDF5 rpg": Case(".h5", "hdf5 rpg", {"layout": "rpg"}),
    "DAT": Case(".dat", "dat"),
    "EVT2": Case(".raw", "evt2", {"format": "evt2"}),
    "EVT2.1": Case(".raw", "evt21", {"format": "evt21"}),
    "EVT2.1 legacy": Case(".raw", "evt21", {"format": "evt21", "endianness": "legacy"}),
    "EVT3": Case(".raw", "evt3", {"format": "evt3"}),
    "Event Stream 2.0": Case(".es", "es"),
    "npz": Case(".npz", "npz"),
    "npy": Case(".npy", "npy"),
    "CSV": Case(".csv", "csv"),
}
SAMPLED: tuple[tuple[str, str, str, dict[str, Any]], ...] = (  # suffix, format, whose readers, how we read it
    (".bin", "bin", "nmnist", {"sensor_size": (256, 240)}),
    (".aedat4", "aedat4", "aedat4", {}),
    (".h5", "hdf5", "hdf5 dsec", {}),
    (".aedat", "aedat, spikingjelly", "aedat2 spikingjelly", {"convention": "spikingjelly"}),
    (".aedat", "aedat, tonic", "aedat2 tonic", {"convention": "tonic"}),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", type=Path, nargs="?")
    parser.add_argument("--python", nargs="+", default=[sys.executable], help="interpreters that have readers")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for one reader and format")
    parser.add_argument("--table", action="store_true", help="print a table in Markdown instead of JSON lines")
    parser.add_argument("--read", nargs=3, metavar=("READERS", "READER", "OUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        return read_all(*options.read)
    sys.path.insert(0, str(ROOT))
    with TemporaryDirectory() as folder:
        lines = []
        for name, readers, files in sampled(options.samples) if options.samples else written(Path(folder)):
            for reader in READERS[readers]:
                line = {"benchmark": "readers", "format": name, "reader": reader, "files": len(files)}
                lines.append(line | compared(readers, reader, files, options.python, options.timeout))
                if not options.table:
                    print(json.dumps(lines[-1]), flush=True)
    if options.table:
        print("\n".join(table(lines)))
    if not lines:
        print(
            f"readers: {options.samples}: expected recordings (.bin, .aedat4, .h5, .aedat), found none", file=sys.stderr
        )
    failed = options.samples and any(line["equal"] is False for line in lines)
    return 1 if failed or not lines else 0


def sampled(samples: Path) -> list[tuple[str, str, list[tuple[Path, Events]]]]:
    """Format, readers and (file, its events) of each kind of file below a folder."""
    from event_tools import read

    cases = []
    for suffix, name, readers, reading in SAMPLED:
        files = [(path, read(path, **reading)) for path in sorted(samples.rglob(f"*{suffix}"))]
        if files:
            cases.append((name, readers, files))
    return cases


def written(folder: Path) -> list[tuple[str, str, list[tuple[Path, Events]]]]:
    """The recordings written in every way; for each those that it can hold."""
    from event_tools import write

    cases = []
    for name, case in CASES.items():
        files = []
        for i, events in enumerate(recordings()):
            if all(side <= most for side, most in zip(events.sensor_size, case.largest, strict=True)):
                path = folder / f"{len(cases)}-{i}{case.suffix}"
                write(path, events, **case.options)
                files.append((path, events))
        cases.append((name, case.readers, files))
    return cases


def recordings() -> list[Events]:
    """Real ones where the data are, and made ones: ties, borders, one event, more than one packet and chunk."""
    from event_tools import Events, read
    from tests.data import find_data

    real = []
    for name, size in (("dvs128-gesture/1.bs2", (128, 128)), ("reader-fixtures/tonic/sample_nmnist.bin", (34, 34))):
        if path := find_data(name):
            real.append(read(path, sensor_size=size))
    rng = np.random.default_rng(0)

    def made(n: int, last_us: int, width: int, height: int) -> Events:
        t = np.sort(rng.integers(0, last_us, n))
        t[:1] = 0  # some readers call the first event's time 0
        columns = rng.integers(0, width, n), rng.integers(0, height, n), rng.integers(0, 2, n)
        return Events(t, *columns, (width, height))

    return [*real, made(25_000, 8_000_000, 34, 34), made(1, 10, 34, 34), made(150_000, 2_000_000, 346, 260)]


def compared(
    readers: str, reader: str, files: list[tuple[Path, Events]], pythons: list[str], timeout: float
) -> dict[str, Any]:
    """What one reader makes of the files, beside what they hold."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "read.npz"
        told = json.dumps([(str(path.absolute()), events.sensor_size) for path, events in files])
        for python in pythons:
            command = [python, __file__, "--read", readers, reader, str(out)]
            try:
                result = subprocess.run(
                    command, input=told, capture_output=True, text=True, timeout=timeout, check=False
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
    unequal = []
    for i, (_, ours) in enumerate(files):
        part = slice(starts[i], starts[i + 1])
        different = [n for n in COLUMNS if not np.array_equal(theirs[n][part], getattr(ours, n).astype(np.int64))]
        size = tuple(theirs["sizes"][i].tolist())
        if theirs["failed"][i]:
            unequal.append(str(theirs["failed"][i]))
        elif theirs["lengths"][i] != len(ours):
            unequal.append(f"{theirs['lengths'][i]} of {len(ours)} events")
        elif different:
            unequal.append(f"{', '.join(different)} differ")
        elif size not in ((0, 0), ours.sensor_size):
            unequal.append(f"sensor {ours.sensor_size}, theirs {size}")
    told_of = {"version": str(theirs["version"]), "events": sum(len(events) for _, events in files)}
    return told_of | {"equal": not unequal, "unequal_files": len(unequal), "why": unequal[0] if unequal else None}


def table(lines: list[dict[str, Any]]) -> list[str]:
    """Markdown: a row a format, its readers by what they found."""
    versions = {line["reader"]: line["version"] for line in lines if "version" in line}
    rows = ["| written | read equal, event by event | read otherwise: why | not installed |", "|---|---|---|---|"]
    for name in dict.fromkeys(line["format"] for line in lines):
        mine = [line for line in lines if line["format"] == name]
        equal = ", ".join(line["reader"] for line in mine if line["equal"])
        other = "; ".join(
            f"{line['reader']}: {line['why']}".replace("|", "/") for line in mine if line["equal"] is False
        )
        absent = ", ".join(line["reader"] for line in mine if line["equal"] is None)
        rows.append(f"| {name} | {equal or '-'} | {other or '-'} | {absent or '-'} |")
    return [*rows, "", ", ".join(f"{reader} {told}" for reader, told in versions.items())]


def read_all(readers: str, reader: str, out: str) -> int:
    """Read the files named on stdin and keep their columns; runs in the reader's own environment."""
    function, package = READERS[readers][reader]
    try:
        told = version(package)
    except ImportError:
        return NOT_INSTALLED
    parts: list[list[Any]] = []
    lengths, sizes, failed = [], [], []
    for path, told_size in json.loads(sys.stdin.read()):
        try:
            *columns, size = function(path, tuple(told_size))
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


if __name__ == "__main__":
    sys.exit(main())

"""Recordings through every format and back: the sha256 of their events before and after.

    python benchmarks/format_round_trips.py FILE_OR_FOLDER ... [--sensor 128x128]

Every recording named is written by event_tools in every way that can hold it, and read back with the sensor's size.
One JSON line per way: `equal` of `recordings` have the same t, x, y and p, byte for byte; `refused` are those that the
format's bits cannot hold. The exit status is 1 where any other differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from event_tools import EventFileError, Events, read, write
from event_tools.finding import FORMATS, WRITERS

WAYS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [  # format, how it is written, how it is read
    *((name, {}, {}) for name in WRITERS if name not in ("bs1", "aedat2", "aedat4", "hdf5", "evt21", "csv")),
    *(("aedat2", {"convention": way}, {"convention": way}) for way in ("jaer", "spikingjelly", "tonic", "raw")),
    ("aedat2", {"camera": "davis346"}, {}),
    *(("aedat4", {"compression": packing}, {}) for packing in ("lz4", "none", "zstd")),
    *(("hdf5", {"layout": layout}, {}) for layout in ("dsec", "rpg")),
    *(("evt21", {"endianness": order}, {}) for order in ("little", "legacy")),
    *(("csv", {"time_unit": unit}, {}) for unit in ("us", "s")),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", type=Path, nargs="+")
    parser.add_argument("--sensor", default="128x128", help="WIDTHxHEIGHT of all recordings")
    options = parser.parse_args()
    width, height = map(int, options.sensor.split("x"))
    files = [path for source in options.sources for path in (sorted(source.iterdir()) if source.is_dir() else [source])]
    recordings = [read(path, sensor_size=(width, height)) for path in files]
    wrong = 0
    with TemporaryDirectory() as folder:
        for name, written, reading in WAYS:
            line = tried(recordings, Path(folder), name, written, reading | {"sensor_size": (width, height)})
            wrong += line["recordings"] - line["equal"] - line["refused"]
    return 1 if wrong else 0


def tried(
    recordings: list[Events], folder: Path, name: str, written: dict[str, Any], reading: dict[str, Any]
) -> dict[str, Any]:
    """How many recordings come back from one way of writing."""
    path = folder / f"one{FORMATS[name].SUFFIXES[0]}"
    line: dict[str, Any] = {"benchmark": "format_round_trips", "format": name, **written}
    line |= {"recordings": len(recordings), "equal": 0, "refused": 0}
    for events in recordings:
        try:
            write(path, events, name, **written)
        except EventFileError:
            line["refused"] += 1
            continue
        line["equal"] += digest(read(path, name, **reading)) == digest(events)
    print(json.dumps(line), flush=True)
    return line


def digest(events: Events) -> str:
    """sha256 of the four columns."""
    found = hashlib.sha256()
    for column in (events.t, events.x, events.y, events.p):
        found.update(column.tobytes())
    return found.hexdigest()


if __name__ == "__main__":
    sys.exit(main())

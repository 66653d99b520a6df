"""Events read and written per second, format by format, beside every peer that reads or writes it.

    python benchmarks/event_files.py [--python /path/to/python ...] [--millions 10] [--repeat 3] [--formats aedat4 evt3]

The recording is made: times in order, pixels uniformly at random (which is what compresses worst), a 640x480 sensor
where the format holds it. Every file is written by event_tools, read back and compared once; then the median of
`repeat` runs is taken, the file in the page cache. kind: "fresh" gives the whole recording as new arrays, "reused"
walks it by `iterate`, a quarter of a million events at a time. Each peer (`peers.py`) runs in a process of its own with
the first of the given interpreters that has it, with fewer events where it is slow. One JSON line per figure, in
millions of events per second, and one per format and direction with the ratio to the fastest peer that read the file
right; "equal": false where a peer's events differ.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from peer_writers import WRITERS
from peers import COLUMNS, READERS

if TYPE_CHECKING:
    from event_tools import Events

NOT_INSTALLED = 3
TIMEOUT = 300
PART = 250_000  # events at a time where buffers are used again
SLOW = {
    "dv-processing write": 300_000,
    "dv": 200_000,
    "spikingjelly aedat3": 300_000,
    "numpy csv": 500_000,
    "evlib": 2_000_000,
}
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Case:
    """A format as event_tools writes it, its peers' names in `peers.py`, and what it holds."""

    suffix: str
    peers: str
    options: dict[str, Any] = field(default_factory=dict)
    size: tuple[int, int] = (640, 480)
    last_us: int = 10_000_000


CASES = {
    "nmnist": Case(".bin", "nmnist", size=(34, 34), last_us=(1 << 23) - 1),
    "bs3": Case(".bs3", "bs3"),
    "aedat2": Case(".aedat", "aedat2 tonic", {"convention": "tonic"}, (128, 128)),
    "aedat2-spikingjelly": Case(".aedat", "aedat2 spikingjelly", {"convention": "spikingjelly"}, (128, 128)),
    "aedat3": Case(".aedat", "aedat3", {"format": "aedat3"}),
    "aedat4": Case(".aedat4", "aedat4"),
    "aedat4-none": Case(".aedat4", "aedat4", {"compression": "none"}),
    "aedat4-zstd": Case(".aedat4", "aedat4", {"compression": "zstd"}),
    "hdf5": Case(".h5", "hdf5 dsec"),
    "hdf5-rpg": Case(".h5", "hdf5 rpg", {"layout": "rpg"}),
    "dat": Case(".dat", "dat"),
    "evt2": Case(".raw", "evt2", {"format": "evt2"}),
    "evt21": Case(".raw", "evt21", {"format": "evt21"}),
    "evt3": Case(".raw", "evt3", {"format": "evt3"}),
    "es": Case(".es", "es"),
    "npz": Case(".npz", "npz"),
    "npy": Case(".npy", "npy"),
    "csv": Case(".csv", "csv"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", nargs="+", default=[sys.executable], help="interpreters that have peers")
    parser.add_argument("--millions", type=float, default=10.0, help="millions of events")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--formats", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--peer", nargs=4, metavar=("DIRECTION", "PEERS", "PEER", "JOB"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        return run_peer(*options.peer)
    sys.path.insert(0, str(ROOT))
    for name in options.formats:
        with TemporaryDirectory() as folder:
            measure(name, CASES[name], Path(folder), int(options.millions * 1e6), options.repeat, options.python)
    return 0


def measure(name: str, case: Case, folder: Path, n: int, repeat: int, pythons: list[str]) -> None:
    """Every figure of one format."""
    from event_tools import iterate, read, write

    events = made(n, case)
    path = folder / f"ours{case.suffix}"
    options: dict[str, Any] = {} if case.suffix not in (".bin", ".bs3", ".npy") else {"sensor_size": case.size}
    if "convention" in case.options:
        options["convention"] = case.options["convention"]
    write(path, events, **case.options)
    assert read(path, **options) == events or case.suffix == ".bin"
    said: dict[str, Any] = {"benchmark": "event_files", "format": name, "bytes_per_event": path.stat().st_size / n}

    def walk() -> None:
        for _ in iterate(path, events=PART, **options):
            pass

    ours = {
        "write": [("fresh", taken(lambda: write(path, events, **case.options), repeat))],
        "read": [("fresh", taken(lambda: read(path, **options), repeat)), ("reused", taken(walk, repeat))],
    }
    for direction, table in (("read", READERS), ("write", WRITERS)):
        for kind, seconds in ours[direction]:
            tell(said | {"direction": direction, "who": "event_tools", "kind": kind, "events": n}, n, seconds)
        best = (0.0, "")
        for peer in table.get(case.peers, {}):
            few = min(n, SLOW.get(f"{peer} {direction}", SLOW.get(f"{peer} {case.peers}", SLOW.get(peer, n))))
            answer = asked(direction, case, peer, events[:few], folder, repeat, pythons)
            if answer is None:
                continue
            line = said | {"direction": direction, "who": peer, "kind": "fresh", "events": few} | answer
            if "seconds" in answer:
                speed = tell(line, few, answer["seconds"])
                if answer["equal"] and speed > best[0]:
                    best = speed, peer
            else:
                print(json.dumps(line), flush=True)
        if best[0]:
            speed = max(n / seconds / 1e6 for _, seconds in ours[direction])
            line = said | {"direction": direction, "fastest_peer": best[1], "ratio": round(speed / best[0], 2)}
            print(json.dumps(line), flush=True)


def made(n: int, case: Case) -> Events:
    """n events on the case's sensor."""
    from event_tools import Events

    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, case.last_us, n))
    t[0] = 0
    columns = (rng.integers(0, top, n) for top in (*case.size, 2))
    return Events(t, *columns, case.size)


def taken(function: Callable[[], Any], repeat: int) -> float:
    """The median of the seconds that some runs take, after one that compiles and warms up."""
    function()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return median(times)


def tell(line: dict[str, Any], n: int, seconds: float) -> float:
    """Print a line with its speed; returns it in millions of events per second."""
    speed = n / seconds / 1e6
    print(json.dumps(line | {"seconds": round(seconds, 4), "mevents_per_s": round(speed, 2)}), flush=True)
    return speed


def asked(
    direction: str, case: Case, peer: str, events: Events, folder: Path, repeat: int, pythons: list[str]
) -> dict[str, Any] | None:
    """A peer's seconds and whether its events are equal, or why not; None where it is not installed."""
    from event_tools import read, write

    path, columns = folder / f"{direction}{case.suffix}", folder / "columns.npz"
    np.savez(columns, **{name: getattr(events, name) for name in COLUMNS})
    if direction == "read":
        write(path, events, **case.options)
    job = json.dumps({"path": str(path), "columns": str(columns), "size": case.size, "repeat": repeat})
    for python in pythons:
        command = [python, __file__, "--peer", direction, case.peers, peer, job]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            return {"equal": False, "why": f"it did not end in {TIMEOUT} s"}
        if result.returncode == NOT_INSTALLED:
            continue
        if result.returncode:
            return {"equal": False, "why": (result.stderr.strip().splitlines() or ["it crashed"])[-1][:200]}
        answer: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
        if direction == "write":
            answer["equal"] = _reads_back(read, path, case, events)
        return answer
    return None


def _reads_back(read: Callable[..., Events], path: Path, case: Case, events: Events) -> bool:
    try:
        ours = read(path, sensor_size=case.size, time_unit="us" if case.suffix in (".npz", ".csv") else None)
    except ValueError:
        return False
    return all(np.array_equal(getattr(ours, name), getattr(events, name)) for name in COLUMNS)


def run_peer(direction: str, peers: str, peer: str, job: str) -> int:
    """Measure one peer; runs in its own environment."""
    from importlib.metadata import version

    function, package = (READERS if direction == "read" else WRITERS)[peers][peer]
    try:
        told = version(package)
    except ImportError:
        return NOT_INSTALLED
    todo = json.loads(job)
    with np.load(todo["columns"]) as file:
        columns = {name: file[name] for name in COLUMNS}
    size, path = tuple(todo["size"]), todo["path"]
    equal = None
    if direction == "read":
        seconds = taken(lambda: function(path, size), todo["repeat"])  # type: ignore[call-arg, arg-type]
        *theirs, _ = function(path, size)  # type: ignore[call-arg, arg-type]
        pairs = zip(theirs, columns.values(), strict=True)
        equal = all(len(a) == len(b) and np.array_equal(np.asarray(a).astype(np.int64), b) for a, b in pairs)
    else:
        seconds = taken(lambda: function(path, *columns.values(), size), todo["repeat"])  # type: ignore[call-arg]
    print(json.dumps({"version": told, "seconds": seconds, "equal": equal}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

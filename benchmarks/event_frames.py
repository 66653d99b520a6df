"""Events into frames, grids and surfaces, and back: event_tools beside its peers, in one run.

    python benchmarks/event_frames.py [--python /path/to/python ...] [--data n-mnist-1100.zip] [--events 10_000_000]

Each contestant runs in a process of its own, one after the other, with the first of the given interpreters that has
its package (tonic, spikingjelly, evutils), on the same files: random events at 128x128 and 640x480 into T = 16 frames,
and the recordings of a data set one by one into frames of T = 10. One JSON line per figure: million events a second
(files a second for the data set), the best of several runs; `fresh` makes its arrays anew, `reused` fills given ones;
`lost` is how many events its frames lack, `equal` whether they are those of event_tools by the same rule. A
contestant that no interpreter has is null.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.frame_contestants import CONTESTANTS, FILE_CONTESTANTS, FILE_STEPS, SPAN_US, STEPS

NOT_INSTALLED = 3  # exit status of a process without its contestant
SIZES = ((128, 128), (640, 480))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", nargs="+", default=[], help="interpreters that have peers, beside this one")
    parser.add_argument("--data", type=Path, help="N-MNIST recordings (folder or .zip)")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=5, help="runs of which the best counts")
    parser.add_argument("--run", nargs=2, metavar=("WHO", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        return run(options.run[0], Path(options.run[1]), options.repeats)
    pythons = [sys.executable, *options.python]
    with TemporaryDirectory() as name:
        for width, height in SIZES:
            folder = Path(name) / f"{width}x{height}"
            save_events(folder, options.events, width, height)
            report(folder, CONTESTANTS, pythons, options.repeats)
        if options.data:
            folder = Path(name) / "files"
            save_files(folder, options.data)
            report(folder, FILE_CONTESTANTS, pythons, options.repeats)
    return 0


def save_events(folder: Path, n: int, width: int, height: int) -> None:
    """Random events over ten seconds as columns, and the frames that they should become."""
    from event_tools import Events, to_frames

    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, SPAN_US, n))
    places = (rng.integers(0, side, n).astype(np.uint16) for side in (width, height))
    events = Events(t, *places, rng.integers(0, 2, n).astype(np.uint8), (width, height))
    folder.mkdir()
    for column in "txyp":
        np.save(folder / f"{column}.npy", getattr(events, column))
    for rule in ("time", "count", "published"):
        np.save(folder / f"{rule}.npy", to_frames(events, STEPS, rule).counts)
    (folder / "size.json").write_text(json.dumps((width, height)))


def save_files(folder: Path, data: Path) -> None:
    """The set's recordings as files, and their frames."""
    from event_tools import read, to_frames
    from event_tools.datasets import open_recordings

    folder.mkdir()
    frames: dict[str, list[Any]] = {"time": [], "count": [], "published": []}
    for split in ("train", "test"):
        recordings = open_recordings(data, split)
        for i, raw in enumerate(recordings.raw_bytes()):
            (folder / f"{split}-{i:05}.bin").write_bytes(raw)
    for path in sorted(folder.glob("*.bin")):
        events = read(path)
        for rule, kept in frames.items():
            kept.append(to_frames(events, FILE_STEPS, rule).counts)
    for rule, kept in frames.items():
        np.save(folder / f"{rule}.npy", np.stack(kept))


def report(folder: Path, contestants: dict[str, Any], pythons: list[str], repeats: int) -> None:
    """One line per contestant and variant."""
    for who in contestants:
        answers: list[dict[str, Any]] = [{"what": folder.name, "who": who, "figure": None, "why": "not installed"}]
        for python in pythons:
            command = [python, __file__, "--repeats", str(repeats), "--run", who, str(folder)]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode == NOT_INSTALLED:
                continue
            if result.returncode:
                answers[0]["why"] = (result.stderr.strip().splitlines() or ["it crashed"])[-1]
            else:
                answers = [
                    {"what": folder.name, "who": who} | line for line in map(json.loads, result.stdout.splitlines())
                ]
            break
        for answer in answers:
            print(json.dumps({"benchmark": "event_frames"} | answer), flush=True)


def run(who: str, folder: Path, repeats: int) -> int:
    """Time one contestant's variants; runs in its own interpreter."""
    files = folder.name == "files"
    try:
        variants = (FILE_CONTESTANTS if files else CONTESTANTS)[who](folder)
    except ImportError:
        return NOT_INSTALLED
    for name, (call, counts_of) in variants.items():
        best = float("inf")
        for _ in range(repeats + 1):  # once more, for what is compiled at first
            begin = time.perf_counter()
            result = call()
            best = min(best, time.perf_counter() - begin)
        amount = len(list(folder.glob("*.bin"))) if files else len(np.load(folder / "t.npy", mmap_mode="r")) / 1e6
        line = {"variant": name, "figure": round(amount / best, 1), "unit": "files/s" if files else "M events/s"}
        expected = folder / f"{name.partition(',')[0]}.npy"
        if counts_of is not None:
            counts, reference = counts_of(result), np.load(expected)
            n = int(np.load(folder / "time.npy", mmap_mode="r").sum())
            line |= {"lost": n - int(counts.sum()), "equal": bool(np.array_equal(counts, reference))}
        print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

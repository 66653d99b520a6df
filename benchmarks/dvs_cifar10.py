"""The stand-in for CIFAR10-DVS: how fast it is simulated, what it counts, how it looks beside a real DVS128.

    python benchmarks/dvs_cifar10.py IMAGES [--count 20] [--real FOLDER]

IMAGES: CIFAR-10 as `event-tools simulate` takes it. One JSON line per figure. `simulated`: recordings a second of one
process, simulated, written as AEDAT 2.0 and read back equal. `counts`: events and length of a recording beside what is
published of the real set. `look`: the figures of `event_tools.realism` for the simulated recordings and, where --real
names AEDAT 2.0 files of a DVS128 (MNIST-DVS, CIFAR10-DVS), for real ones: shares, and medians of intervals in ms.
`distance`: their distances, where there are real ones; another scene, so this tells cameras and contents together.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from event_tools import Events, read, write
from event_tools.commands.simulate import named
from event_tools.pictures import open_pictures
from event_tools.presets import PRESETS
from event_tools.realism import compare, summarise

PUBLISHED = {"published_events": 205_071, "published_seconds": 1.298}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--real", type=Path, help="a folder of AEDAT 2.0 files of a DVS128")
    options = parser.parse_args()
    made = simulated(options.images, options.count)
    lengths = [len(events) for events in made]
    seconds = [events.duration_us / 1e6 for events in made]
    spread = {"least_events": min(lengths), "most_events": max(lengths)}
    report("counts", mean_events=np.mean(lengths), mean_seconds=np.mean(seconds), **spread, **PUBLISHED)
    report("look", of="simulated", **look(made))
    if options.real:
        real = [read(path) for path in sorted(options.real.rglob("*.aedat"))[: options.count]]
        report("look", of=options.real.name, **look(real))
        report("distance", **compare(made, real))


def simulated(images: Path, count: int) -> list[Events]:
    """Recordings of `count` pictures, classes in turn, each one written and read back."""
    pictures, preset = open_pictures(images), PRESETS["dvs_cifar10"]
    names, some = named(pictures, "dvs_cifar10", count)
    preset.recording(pictures.grey(0), 0)  # compiles
    recordings, began = [], time.perf_counter()
    with TemporaryDirectory() as folder:
        for name, i in zip(names, some, strict=True):
            events = preset.recording(pictures.grey(i), i)
            path = Path(folder) / name.replace("/", "-")
            write(path.with_suffix(".aedat"), events, convention="spikingjelly")
            if read(path.with_suffix(".aedat"), convention="spikingjelly") != events:
                raise RuntimeError(f"{name} was not read back as it was written")
            recordings.append(events)
    rate = len(recordings) / (time.perf_counter() - began)
    report("simulated", recordings_per_second=rate, read_back_equal=len(recordings))
    return recordings


def look(recordings: list[Events]) -> dict[str, float]:
    """What the realism module sums up, in single figures."""
    seen = summarise(recordings)
    return {
        "on_share": float(seen.on_shares.mean()),
        "median_interval_ms": float(10 ** np.median(seen.log_isi)) / 1000,
        "polarity_flips": float(seen.alternation),
        "supported": float(seen.support),
        "ties": float(seen.ties),
        "silent_pixels": float(seen.per_pixel[0]),
    }


def report(benchmark: str, **figures: object) -> None:
    print(
        json.dumps(
            {"benchmark": benchmark} | {k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()}
        )
    )


if __name__ == "__main__":
    main()

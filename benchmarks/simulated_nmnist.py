"""How like the real recordings the simulator's preset `nmnist` is, digit by digit.

    python benchmarks/simulated_nmnist.py --nmnist N-MNIST.zip --mnist MNIST_FOLDER [--count 200]

Recording n of N-MNIST shows MNIST's image n - 1, so that each real recording has a simulated twin. One JSON line a
figure, for the preset and for the simulator's default path and camera: the correlation of their event counts in
bins of 25 ms, averaged over recordings, and the distances of `event_tools.realism`, beside those of real ones to each
other. The preset was fitted to the first 12 to 30 of these recordings by a search that is not kept here.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from event_tools import Events, read, to_frames
from event_tools.presets import PRESETS, Preset
from event_tools.realism import compare
from neurogen.config import DataConfig
from neurogen.data.idx import open_idx_data

BINS = np.linspace(0, 400_000, 17).astype(np.int64)  # longer than any recording


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nmnist", type=Path, required=True, help="an archive with Train/<label>/<n>.bin")
    parser.add_argument("--mnist", type=Path, required=True, help="the folder of MNIST's idx files")
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    digits = open_idx_data(DataConfig(name="mnist", resolution=28, channels=1, fit="none"), options.mnist, "train")
    real = recordings(options.nmnist, options.count)
    report("real, one half to the other", compare(list(real.values())[::2], list(real.values())[1::2]))
    for name, preset in (("preset", PRESETS["nmnist"]), ("default", Preset((34, 34), ".bin", ""))):
        twins = {n: preset.recording(digits.pixels[n - 1, 0] / 255.0, n) for n in real}
        alike = [np.corrcoef(counts(real[n]), counts(twins[n]))[0, 1] for n in real]
        report(name, {"count_correlation": float(np.mean(alike))} | compare(list(twins.values()), list(real.values())))


def recordings(archive: Path, count: int) -> dict[int, Events]:
    """The first `count` training recordings there are, by number."""
    with zipfile.ZipFile(archive) as source, tempfile.TemporaryDirectory() as folder:
        names = {int(Path(name).stem): name for name in source.namelist() if "Train/" in name and name.endswith(".bin")}
        return {n: read(source.extract(names[n], folder)) for n in sorted(names)[:count]}


def counts(events: Events) -> np.ndarray:
    return to_frames(events, edges=BINS).counts.ravel()


def report(what: str, figures: dict[str, float]) -> None:
    print(json.dumps({"benchmark": "simulated_nmnist", "what": what} | {k: round(v, 4) for k, v in figures.items()}))


if __name__ == "__main__":
    main()

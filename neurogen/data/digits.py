"""The demo's data: scikit-learn's handwritten digits in front of the simulated DVS, as N-MNIST files.

1,500 recordings to train on and 297 to test, 34x34, about 300 ms; made once, in the cache, then read like any data.
Source of the digits: UCI "Optical Recognition of Handwritten Digits", inside scikit-learn's wheel.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from event_tools import write
from neurogen.data.cache import built, cache_dir
from neurogen.progress import bar

SENSOR = (34, 34)
TRAINING = 1500
VERSION = 2  # of the simulated set; raise it when the simulator makes other events


def digits_folder() -> Path:
    """The folder with Train/<label>/<n>.bin and Test/<label>/<n>.bin, made on first use."""
    return built(cache_dir() / f"digits-{VERSION}", _make)


def _make(folder: Path) -> None:
    from sklearn.datasets import load_digits

    from event_tools.simulator import simulate

    digits = load_digits()  # 8x8 pixels from 0 to 16
    order = np.random.Generator(np.random.Philox(key=VERSION)).permutation(len(digits.images))
    with bar("recording digits", len(order)) as progress:
        for n, source in enumerate(order):
            split = "Train" if n < TRAINING else "Test"
            place = folder / split / str(digits.target[source])
            place.mkdir(parents=True, exist_ok=True)
            events = simulate(digits.images[source] / 16.0, SENSOR, seed=int(source))
            write(place / f"{n:05d}.bin", events)
            progress(n + 1)

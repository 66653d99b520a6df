"""CIFAR10-DVS (also DVS-CIFAR10; Li et al. 2017, doi 10.3389/fnins.2017.00309): where its files lie, and its split.

10,000 recordings of CIFAR-10 images by a DVS128, 1,000 a class, AEDAT 2.0. Read are

    airplane/cifar10_airplane_0.aedat ...     the original files, unpacked
    airplane.zip, automobile.zip, ...         as they are published, left packed
    extract/ or download/ of SpikingJelly     either of these
    CIFAR10DVS/airplane/*.aedat4              tonic's copies: re-encoded by hand as AEDAT 4, of unknown orientation

The original files do not say which way is up: `formats.aedat2` has the conventions. Objects stand upright as
SpikingJelly reads them, but nobody has compared them with the CIFAR-10 images: they may be mirrored.

The set has no official split. Ours is SpikingJelly's split_to_train_test_set(train_ratio=0.9): of each class the first
90 % (rounded up) in order of their file names as text (0, 1, 10, 100, 101, ...) are for training, the rest for testing.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from event_tools.datasets import open_recordings
from event_tools.recordings import Recordings

SENSOR = (128, 128)
CONVENTION = "spikingjelly"
TRAINING_SHARE = 0.9
SPLIT_RULE = (
    "no official split; SpikingJelly's rule: the first 90 % of each class, file names as text, are for training"
)
FOLDERS = ("extract", "download", "CIFAR10DVS")


def open_dvs_cifar10(path: str | Path, split: str | None = None, convention: str = CONVENTION) -> Recordings:
    """The recordings at a path, or those of a split, "train" or "test"; raises EventFileError, ValueError.

    convention: of AEDAT 2.0 files; others, such as tonic's copies, are read as they say.
    """
    if split not in (None, "train", "test"):
        raise ValueError(f"expected split to be train, test or None, got {split!r}")
    path = Path(path)
    inner = next((path / name for name in FOLDERS if (path / name).is_dir()), path)
    whole = open_recordings(inner, None, SENSOR, convention)
    if split is None:
        return whole
    training = training_part(whole.labels)
    return whole.subset(np.flatnonzero(training if split == "train" else ~training))


def training_part(labels: NDArray[np.int64], share: float = TRAINING_SHARE) -> NDArray[np.bool_]:
    """Which items are for training: of each label the first ceil(share * n). labels: (n,), in order of the set."""
    first = np.zeros(len(labels), np.bool_)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        first[own[: math.ceil(len(own) * share)]] = True
    return first

"""From a configuration to one split of its data: where it lies, what is held out, how it is scaled."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from event_tools.datasets import has_split
from event_tools.profile import RateCurve
from neurogen.config import DataConfig
from neurogen.data.cache import cache_dir
from neurogen.data.digits import SENSOR, digits_folder
from neurogen.data.errors import DataError
from neurogen.data.images import ImageData, open_idx_data, open_image_folder
from neurogen.data.recordings import RecordingData, open_recording_data, subset
from neurogen.data.scaling import Scaling
from neurogen.model_folder import DataInfo

Data = ImageData | RecordingData

SPLITS = ("train", "validation", "test")
HOLD_OUT_KEY = 20_240_514  # of the shuffle that picks hold-outs: the same items for every seed, so that figures compare
TEST_SHARE = 10  # of a set without a test split, every tenth item is its test
PROFILED = 2000  # recordings that a rate curve is measured on
PLACES = {
    "nmnist": ("n-mnist", "N-MNIST", "NMNIST", "n-mnist/n-mnist-1100.zip"),
    "mnist": ("mnist", "MNIST"),
    "fashion": ("fashion-mnist", "FashionMNIST", "fashion"),
}


def open_data(config: DataConfig, steps: int, split: str, scaling: Scaling | None = None) -> Data:
    """One split: train, validation (the last `validation` training items of a fixed shuffle) or test.

    steps: T, bins of a recording. scaling: the model's own, for data it was not trained on; None measures it on the
    training split. Raises DataError (one sentence).
    """
    if split not in SPLITS:
        raise ValueError(f"expected split to be {', '.join(SPLITS)}, got {split!r}")
    path = find_path(config)
    whole, index = _whole(config, path, steps, split)
    if isinstance(whole, ImageData):
        return whole.subset(index)
    if scaling is None and split == "test":
        scaling = open_data(config, steps, "train").scaling
    chosen = subset(whole, index)
    return dataclasses.replace(chosen, scaling=scaling) if scaling is not None else chosen


def describe_data(data: Data) -> DataInfo:
    """What sampling has to know of a training split; medians over its recordings."""
    counts = tuple(int(n) for n in np.bincount(data.labels, minlength=len(data.classes)))
    if isinstance(data, ImageData):
        return DataInfo(data.classes, counts)
    edges = np.sort(np.median(data.edges, axis=0)).round().astype(np.int64)
    totals = np.array([int(np.asarray(c).sum()) for c in data.counts])
    per_class = [float(np.median(totals[data.labels == k])) if counts[k] else float(np.median(totals)) for k in range(len(counts))]
    some = np.linspace(0, len(data) - 1, min(len(data), PROFILED)).astype(int)
    profile = RateCurve.measure(data.recording(int(i)) for i in some)
    return DataInfo(
        data.classes, counts, data.sensor_size, tuple(int(e) for e in edges), profile.to_dict(), tuple(per_class)
    )


def find_path(config: DataConfig) -> Path:
    """Where the data lies; raises DataError with every place that was tried."""
    if config.name == "digits":
        return digits_folder()
    if config.path is not None:
        if not Path(config.path).exists():
            raise DataError(f"expected data at data.path={config.path}, found nothing")
        return Path(config.path)
    if config.name in ("images", "recordings"):
        raise DataError(f"expected data.path for data.name={config.name}: a folder with one subfolder per class")
    tried = []
    for root in (os.environ.get("NEUROGEN_DATA"), cache_dir() / "data"):
        for place in PLACES[config.name] if root else ():
            path = Path(root) / place  # type: ignore[arg-type]
            tried.append(str(path))
            if path.is_file() or (path.is_dir() and _holds_data(path, config.name)):
                return path
            zips = sorted(path.glob("*.zip")) if path.is_dir() else []
            if zips:
                return zips[0]
    if config.download and config.name in ("mnist", "fashion"):
        return _download(config.name)
    hint = "or data.download=true" if config.name in ("mnist", "fashion") else "(a folder or .zip with Train/ and Test/)"
    raise DataError(f"expected {config.name} under $NEUROGEN_DATA or {cache_dir() / 'data'}, found none; set data.path {hint}")


def _holds_data(path: Path, name: str) -> bool:
    if name == "nmnist":
        return has_split(path, "train")
    return any(path.rglob("train-images*idx3-ubyte*"))


def _download(name: str) -> Path:
    from torchvision import datasets

    kind = {"mnist": datasets.MNIST, "fashion": datasets.FashionMNIST}[name]
    root = cache_dir() / "data"
    try:
        kind(str(root), download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{name} could not be downloaded: {error}; set data.path instead") from None
    return root / kind.__name__


def _whole(config: DataConfig, path: Path, steps: int, split: str) -> tuple[Data, NDArray[np.int64]]:
    """The split that the source has, and which of its items belong to the one asked for."""
    source = "test" if split == "test" else "train"
    has_test = True
    if config.name in ("mnist", "fashion"):
        whole: Data = open_idx_data(config, path, source)
    elif config.name == "images":
        has_test = (path / "test").is_dir() and (path / "train").is_dir()
        whole = open_image_folder(config, path, source if has_test else None)
    else:
        has_test = has_split(path, "train") and has_split(path, "test")
        sensor = SENSOR if config.name in ("digits", "nmnist") else None
        whole = open_recording_data(config, path, steps, source if has_test else None, sensor)
    order = np.random.Generator(np.random.Philox(key=HOLD_OUT_KEY)).permutation(len(whole))
    if not has_test:
        tests = len(whole) // TEST_SHARE
        order = order[:tests] if split == "test" else order[tests:]
    if split != "test":
        if config.validation >= len(order):
            raise DataError(f"expected data.validation below the {len(order)} training items, got {config.validation}")
        cut = len(order) - config.validation
        order = order[:cut] if split == "train" else order[cut:]
    order = order[: config.limit] if config.limit else order
    return whole, np.sort(order)

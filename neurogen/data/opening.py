"""From a configuration to one split of its data: where it lies, what is held out, how it is scaled."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools import EventFileError
from event_tools.datasets import Recordings, open_recordings
from event_tools.dvs_cifar10 import open_dvs_cifar10, training_part
from event_tools.profile import RateCurve
from neurogen.config import RECORDINGS, DataConfig
from neurogen.data.celeba import open_celeba, open_celeba_hq
from neurogen.data.cifar import open_cifar10
from neurogen.data.digits import SENSOR
from neurogen.data.errors import DataError
from neurogen.data.idx import open_idx_data
from neurogen.data.images import ImageData, open_image_folder
from neurogen.data.lsun import CATEGORIES, TESTS, open_lsun
from neurogen.data.places import archive_of_split, find_path
from neurogen.data.recordings import RecordingData, measured_scaling, prepared_counts
from neurogen.data.scaling import Scaling
from neurogen.model_folder import DataInfo

Data = ImageData | RecordingData

SPLITS = ("train", "validation", "test")
HOLD_OUT_KEY = 20_240_514  # of the shuffle that picks hold-outs: the same items for every seed, so that figures compare
TEST_SHARE = 10  # of a set without a test split, one item in ten is its test
MOST_TESTS = dict.fromkeys(CATEGORIES, TESTS)  # or so many, of sets whose own test split is that small
PROFILED = 2000  # recordings that a rate curve is measured on


def open_data(config: DataConfig, steps: int, split: str, scaling: Scaling | None = None) -> Data:
    """One split: train, validation (the last `validation` training items of a fixed shuffle) or test.

    steps: T, bins of a recording. scaling: the model's own, for data it was not trained on; None measures it on the
    training split. Raises DataError (one sentence).
    """
    if split not in SPLITS:
        raise ValueError(f"expected split to be {', '.join(SPLITS)}, got {split!r}")
    path = find_path(config)
    if config.name not in RECORDINGS:
        images, own_test = _open_images(config, path, split)
        return images.subset(_chosen(config, len(images), split, own_test, most=MOST_TESTS.get(config.name)))
    source, classes, own_test = _open_source(config, path, split)
    counts, edges = prepared_counts(source, config, steps)
    labels = np.array([classes.index(name) for name in source.classes])[source.labels]
    first = training_part(source.labels) if config.name == "dvs_cifar10" else None
    index = _chosen(config, len(source), split, own_test, first)
    size = (counts.shape[-1], counts.shape[-2])
    given = scaling or Scaling(config.scaling, config.scale or 1.0, config.fit, config.resolution, size)
    if given.sensor_size != size:
        raise DataError(f"{path}: expected recordings of {given.sensor_size} pixels as in training, got {size}")
    data = RecordingData(source, counts, edges, labels, classes, index, given, config.shift, config.flip)
    if scaling is not None:
        return data
    own = measured_scaling(config, data) if split == "train" else open_data(config, steps, "train").scaling
    return dataclasses.replace(data, scaling=own)


def describe_data(data: Data) -> DataInfo:
    """What sampling has to know of a training split; medians over its recordings."""
    counts = tuple(int(n) for n in np.bincount(data.labels, minlength=len(data.classes)))
    if isinstance(data, ImageData):
        return DataInfo(data.classes, counts)
    edges = np.sort(np.median(data.edges, axis=0)).round().astype(np.int64)
    totals, labels = data.event_counts, data.labels
    per_class = [float(np.median(totals[labels == k] if counts[k] else totals)) for k in range(len(counts))]
    some = np.linspace(0, len(data) - 1, min(len(data), PROFILED)).astype(int)
    profile = RateCurve.measure(data.recording(int(i)) for i in some)
    return DataInfo(
        data.classes, counts, data.sensor_size, tuple(int(e) for e in edges), profile.to_dict(), tuple(per_class)
    )


def _open_images(config: DataConfig, path: Path, split: str) -> tuple[ImageData, bool]:
    """The images that hold a split, and whether the source has a test split of its own."""
    part = "test" if split == "test" else "train"
    if config.name in CATEGORIES:
        return open_lsun(config, path, part)
    if config.name == "images":
        return open_image_folder(config, path, part)
    if config.name == "celeba_hq":
        return open_celeba_hq(config, path), False
    openers = {"cifar10": open_cifar10, "celeba": open_celeba}
    return openers.get(config.name, open_idx_data)(config, path, part), True


def _open_source(config: DataConfig, path: Path, split: str) -> tuple[Recordings, tuple[str, ...], bool]:
    """The recordings that hold a split, the training set's classes, and whether there is a test split of its own."""
    if config.name == "dvs_cifar10":
        try:
            whole = open_dvs_cifar10(path, convention=config.convention)
        except EventFileError as error:
            raise DataError(str(error)) from None
        return whole, whole.classes, False
    sensor = SENSOR if config.name in ("digits", "nmnist") else None
    train, test = (_try_open(path, part, sensor, config.convention) for part in ("train", "test"))
    if train is None or test is None:
        try:
            whole = train or open_recordings(path, None, sensor, config.convention)
        except EventFileError as error:
            raise DataError(str(error)) from None
        return whole, whole.classes, False
    unknown = sorted(_labels_of(test) - _labels_of(train))
    if unknown:
        raise DataError(
            f"{path}: expected the labels of the training recordings, the test has {', '.join(unknown)} too"
        )
    return (test if split == "test" else train), train.classes, True


def _try_open(path: Path, part: str, sensor: tuple[int, int] | None, convention: str) -> Recordings | None:
    place = archive_of_split(path, part)
    try:
        return open_recordings(place, part, sensor, convention)
    except EventFileError as error:
        if place != path:  # Train.zip or Test.zip is there, and it is damaged or holds something else
            raise DataError(str(error)) from None
        return None


def _labels_of(recordings: Recordings) -> set[str]:
    return {recordings.classes[k] for k in np.unique(recordings.labels)}


def _chosen(
    config: DataConfig,
    items: int,
    split: str,
    own_test: bool,
    first: NDArray[np.bool_] | None = None,
    most: int | None = None,
) -> NDArray[np.int64]:
    """Which of a source's items belong to a split, in the source's order.

    first: those that a rule trains on; most: the most items to hold out for testing.
    """
    order: NDArray[Any] = np.random.Generator(np.random.Philox(key=HOLD_OUT_KEY)).permutation(items)
    if first is not None:
        order = order[first[order] != (split == "test")]
        if not len(order):
            raise DataError(
                f"expected {TEST_SHARE} recordings or more of a class, nine in ten are trained on; add some"
            )
    elif not own_test:
        tests = min(items // TEST_SHARE, most or items)
        if not tests:
            raise DataError(
                f"expected {TEST_SHARE} items or more (one in {TEST_SHARE} is for testing), got {items}; add some"
            )
        order = order[:tests] if split == "test" else order[tests:]
    if split != "test":
        if config.validation >= len(order):
            raise DataError(
                f"expected data.validation below {len(order)}, the training items, got {config.validation}; lower it"
            )
        cut = len(order) - config.validation
        order = order[:cut] if split == "train" else order[cut:]
    if not len(order):
        raise DataError("expected data.validation above 0 to have a validation split, got 0")
    return np.sort(order[: config.limit])

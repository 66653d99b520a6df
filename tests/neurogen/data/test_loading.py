"""Recordings through PyTorch's loader: the same with any number of workers, from folders and archives."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from event_tools import EventFileError, Events, to_frames
from event_tools.augment import drop_events
from event_tools.datasets import open_recordings
from event_tools.filters import flip_left_right
from neurogen.data import EventBatch, EventDataset, FrameDataset, loading, pad_events, pad_frames
from tests.neurogen.data.sets import recordings, zipped

LAYOUT = {"Train/0": 3, "Train/7": 4, "Test/0": 1, "Test/7": 1}
WORKERS = pytest.mark.filterwarnings("ignore:This process.* is multi-threaded:DeprecationWarning")


def half(events: Events, seed: int) -> Events:
    return drop_events(events, 0.5, seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recordings(tmp_path_factory.mktemp("sets") / "N-MNIST", LAYOUT)


def batches(data: EventDataset, workers: int, persistent: bool = False) -> list[EventBatch]:
    return list(DataLoader(data, 3, num_workers=workers, collate_fn=pad_events, persistent_workers=persistent))


def equal(one: list[EventBatch], two: list[EventBatch]) -> bool:
    return all(map(torch.equal, *(torch.utils.data.default_convert([t for b in x for t in b]) for x in (one, two))))


def test_items_are_the_recordings_and_their_labels(folder: Path) -> None:
    data, source = EventDataset(folder, "train"), open_recordings(folder, "train")
    assert len(data) == 7 and data.classes == ("0", "7") and data.labels.tolist() == [0, 0, 0, 1, 1, 1, 1]
    for i, (events, label) in enumerate(data):
        assert events == source[i] and label == source.labels[i] and type(label) is int
    assert EventDataset(source)[6][0] == source[6]


def test_frames_are_counts_as_floats_after_both_hooks(folder: Path) -> None:
    data = FrameDataset(
        EventDataset(folder, "train", transform=flip_left_right), partial(to_frames, steps=5), torch.sqrt
    )
    frames, label = data[4]
    expected = to_frames(open_recordings(folder, "train")[4], steps=5).counts[..., ::-1]
    assert frames.dtype == torch.float32 and label == 1 and len(data) == 7
    np.testing.assert_array_equal(frames.numpy(), np.sqrt(expected.astype(np.float32)))
    assert data.classes == ("0", "7") and data.labels.tolist() == [0, 0, 0, 1, 1, 1, 1]


def test_any_binning_that_gives_an_array_will_do(folder: Path) -> None:
    data = FrameDataset(EventDataset(folder, "test"), lambda events: np.full((3, 1), len(events), np.uint16))
    assert data[0][0].tolist() == [[200], [200], [200]]


@WORKERS
@pytest.mark.parametrize("archived", [False, True])
def test_workers_give_what_the_process_itself_gives(folder: Path, tmp_path: Path, archived: bool) -> None:
    path = zipped(folder, tmp_path / "set.zip") if archived else folder
    data = EventDataset(path, "train", augment=half, seed=5)
    alone = batches(data, 0)  # the archive is open when the workers start
    assert equal(alone, batches(data, 2)) and len(alone) == 3
    assert equal(alone, batches(EventDataset(folder, "train", augment=half, seed=5), 0))


@WORKERS
def test_each_epoch_draws_anew_even_in_workers_that_persist(folder: Path) -> None:
    data = EventDataset(folder, "train", augment=half)
    loader = DataLoader(data, 3, num_workers=2, collate_fn=pad_events, persistent_workers=True)
    first = list(loader)
    assert equal(first, list(loader))
    data.set_epoch(1)
    second = list(loader)
    assert not equal(first, second)
    assert equal(second, batches(data, 0))
    data.set_epoch(0)
    assert equal(first, batches(data, 0))


def test_recordings_and_seeds_draw_differently(folder: Path) -> None:
    seeds: list[int] = []

    def noting(events: Events, seed: int) -> Events:
        seeds.append(seed)
        return events

    for seed in (0, 1):
        list(EventDataset(folder, "train", augment=noting, seed=seed))
    assert len(set(seeds)) == 14


def test_recordings_of_different_length_make_batches(folder: Path) -> None:
    shorter = EventDataset(folder, "train", augment=lambda events, seed: events[: 50 + seed % 150])
    data = FrameDataset(shorter, partial(to_frames, steps=10_000, by="duration"))
    frames, lengths, labels = next(iter(DataLoader(data, 7, collate_fn=pad_frames)))
    steps = [len(data[i][0]) for i in range(7)]
    assert lengths.tolist() == steps and frames.shape == (max(steps), 7, 2, 34, 34) and len(set(steps)) > 1
    assert frames.sum() == sum(len(events) for events, _ in shorter) and labels.tolist() == [0, 0, 0, 1, 1, 1, 1]


def test_a_split_beside_open_recordings_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="with a path"):
        EventDataset(open_recordings(folder), "train")
    with pytest.raises(EventFileError, match="found nothing"):
        EventDataset(folder / "absent")


@WORKERS
def test_the_example_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    (example,) = re.findall(r"```python\n(.*?)```", loading.__doc__ or "", re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)
    frames, lengths, labels = names["frames"], names["lengths"], names["labels"]
    assert (
        frames.shape == (10, 7, 2, 34, 34)
        and lengths.tolist() == [10] * 7
        and sorted(labels.tolist()) == [0] * 3 + [1] * 4
    )

"""Figures of generated recordings: beside the floors that equal their definition, refused where they mean nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from event_tools import Events
from event_tools.distances import MEASURES, van_rossum
from event_tools.filters import crop
from event_tools.realism import compare
from neurogen.metrics.errors import MetricError
from neurogen.metrics.recordings import (
    Labelled,
    central_window,
    matched,
    nearest_distances,
    recording_figures,
    same_labels,
)


def some(count: int, seed: int, classes: int = 2, size: tuple[int, int] = (10, 10)) -> Labelled:
    """Recordings of 60 events or so whose place says their class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    made = []
    for label in labels:
        n = int(rng.integers(50, 70))
        t = np.sort(rng.choice(40, n) // 10 * 10_000 + rng.integers(0, 5000, n))
        x = np.clip(rng.normal(2 + 5 * label, 1, n), 0, size[0] - 1)
        made.append(Events(t, x.astype(int), rng.integers(0, size[1], n), rng.integers(0, 2, n), size))
    return Labelled(made, labels)


def test_rows_stand_beside_the_floors_that_they_are_defined_by() -> None:
    generated, test, train = some(12, 0), some(20, 1), some(40, 2)
    figures = recording_figures(generated, test, train)
    seen = [train.recordings[i] for i in range(12)]  # classes come in turn, so the first twelve have them alike
    values, floors = compare(generated.recordings, test.recordings), compare(seen, test.recordings)
    halves = compare(seen[::2], seen[1::2])
    assert values["count_w1"] > 0
    for row, value in values.items():
        assert figures[row] == value and figures[f"{row}_floor"] == floors[row]
        assert figures[f"{row}_floor_train"] == halves[row]
        assert (f"{row}_ratio" in figures) == (floors[row] > 0)
        assert floors[row] == 0 or figures[f"{row}_ratio"] == value / floors[row]
    assert (figures["recordings"], figures["test"], figures["train"]) == (12, 20, 12)


def test_everything_is_cropped_to_the_window_and_others_stand_under_their_name() -> None:
    generated, test, train = some(12, 0), some(20, 1), some(40, 2)
    window = central_window((10, 10), 6)
    assert window == (2, 2, 6, 6)
    figures = recording_figures(generated, test, train, window, {"reconstructed": train.recordings[:20]})
    made, real, other = (
        [crop(events, *window) for events in part.recordings] for part in (generated, test, train.chosen(range(20)))
    )
    assert figures["spatial_js"] == compare(made, real)["spatial_js"]
    rows = compare(other, real)
    assert all(figures[f"reconstructed_{row}"] == value for row, value in rows.items())


def test_classes_are_made_as_frequent_as_in_the_test() -> None:
    many = Labelled(some(30, 0).recordings, np.array([0] * 20 + [1] * 10))
    even = matched(many, some(10, 1))
    assert np.bincount(even.labels).tolist() == [15, 10]  # of 15 wanted there are 10
    assert len(set(map(id, even.recordings))) == 25
    assert matched(Labelled(many.recordings), some(10, 1), 7).labels is None
    assert len(matched(Labelled(many.recordings), some(10, 1), 7)) == 7


def test_items_of_wanted_labels_are_taken_once_each_in_that_order() -> None:
    labels = np.array([1, 0, 1, 2, 0])
    assert same_labels(labels, np.array([0, 1, 0, 0, 2, 5])) == [1, 0, 4, 3]


def test_the_nearest_is_looked_for_among_recordings_of_the_same_class() -> None:
    generated, real = some(4, 0), some(8, 1)
    swapped = Labelled(real.recordings, 1 - real.labels)  # so that what is called the same class lies elsewhere
    figures = nearest_distances(generated, swapped)
    nearest = [
        min(real.recordings[1 - k :: 2], key=lambda other: van_rossum(events, other))
        for events, k in zip(generated.recordings, generated.labels, strict=True)
    ]
    for name, measure in MEASURES.items():
        pairs = [measure(a, b) for a, b in zip(generated.recordings, nearest, strict=True)]
        assert figures[name] == pytest.approx(np.mean(pairs))
    anywhere = nearest_distances(Labelled(generated.recordings), real)
    assert anywhere["van_rossum"] < figures["van_rossum"]
    copies = nearest_distances(real, real)
    assert copies["van_rossum"] == copies["victor_purpura"] == 0


def test_what_is_not_defined_is_left_out() -> None:
    lonely = [Events([0, 9000 * (i + 1)], [0, 1], [0, 1], [0, 1], (10, 10)) for i in range(10)]
    figures = recording_figures(Labelled(lonely), some(20, 1), some(40, 2))
    assert "log_isi_w1" not in figures and "count_w1" in figures
    assert all(math.isfinite(value) for value in figures.values())


def test_too_few_recordings_and_other_sensors_are_one_sentence() -> None:
    test, train = some(20, 1), some(40, 2)
    with pytest.raises(MetricError, match=r"^expected 10 generated recordings or more of equal classes, got 3; add"):
        recording_figures(some(3, 0), test, train)
    with pytest.raises(MetricError, match=r"^expected 10 test recordings or more"):
        recording_figures(some(12, 0), some(4, 0), train)
    with pytest.raises(MetricError, match=r"^expected recordings of one sensor, got 10x10 and 12x9; convert or crop"):
        recording_figures(some(12, 0, size=(12, 9)), test, train)

"""How generated recordings look beside real ones: the rows of `event_tools.realism`, each with its floors.

<row>              distance of the generated recordings to the test recordings
<row>_floor        of as many training recordings, of the same classes: what real data score
<row>_floor_train  between two halves of those: how much of it is chance
<row>_ratio        of the first to its floor
<name>_<row>       of other recordings that were given, such as reconstructions
nearest_<distance> mean distance (`event_tools.distances`) to that test recording of the same class which is nearest by
                   van Rossum's, with floor and ratio likewise

Rows and ratios that are not defined, such as the interval between events where no pixel has two, are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_tools import Events
from event_tools.distances import MEASURES, van_rossum
from event_tools.filters import crop
from event_tools.realism import compare
from neurogen.metrics.errors import MetricError

FEWEST = 10  # recordings of a set, for distances between distributions
NEAREST = 50  # recordings that are compared event by event, evenly chosen
MATES = 20  # test recordings that each of them is compared with, evenly chosen

Figures = dict[str, float | int]
Window = tuple[int, int, int, int]  # x, y, width, height in pixels


@dataclass(frozen=True, eq=False)
class Labelled:
    """Recordings and their labels, (N,) int64, or None."""

    recordings: Sequence[Events]
    labels: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.recordings)

    def chosen(self, index: Sequence[int]) -> Labelled:
        """Those at these positions."""
        labels = None if self.labels is None else self.labels[np.asarray(index, np.int64)]
        return Labelled([self.recordings[int(i)] for i in index], labels)

    def cropped(self, window: Window | None) -> Labelled:
        """What each has in a window of the sensor; None leaves all of it."""
        return self if window is None else Labelled([crop(events, *window) for events in self.recordings], self.labels)


def recording_figures(
    generated: Labelled,
    test: Labelled,
    train: Labelled,
    window: Window | None = None,
    beside: Mapping[str, Sequence[Events]] | None = None,
) -> Figures:
    """Every row as above. window: the part of the sensor that all are cropped to; beside: other recordings by name.

    Where the generated have labels, they are chosen so that their classes are as frequent as the test's. Raises
    MetricError for sets of fewer than FEWEST recordings and for sensors of different size.
    """
    check_one_sensor([*generated.recordings, *test.recordings, *train.recordings])
    made = matched(generated, test).cropped(window)
    real = test.cropped(window)
    seen = matched(train, made if made.labels is not None else test, len(made)).cropped(window)
    for what, some in (("generated", made), ("test", real), ("training", seen)):
        if len(some) < FEWEST:
            raise MetricError(
                f"expected {FEWEST} {what} recordings or more of equal classes, got {len(some)}; add some"
            )
    figures: Figures = {"recordings": len(made), "test": len(real), "train": len(seen)}
    floors = compare(seen.recordings, real.recordings)
    chance = compare(seen.recordings[::2], seen.recordings[1::2])
    for row, value in compare(made.recordings, real.recordings).items():
        figures |= beside_floor(row, value, floors[row]) | defined({f"{row}_floor_train": chance[row]})
    nearest, nearest_floors = nearest_distances(made, real), nearest_distances(seen, real)
    for name, value in nearest.items():
        figures |= beside_floor(f"nearest_{name}", value, nearest_floors[name])
    for what, recordings in (beside or {}).items():
        rows = compare(Labelled(recordings).cropped(window).recordings, real.recordings)
        figures |= defined({f"{what}_{row}": value for row, value in rows.items()})
    return figures


def matched(some: Labelled, like: Labelled, count: int | None = None) -> Labelled:
    """At most `count` (as many as there are) of them, different ones, with classes in the proportions of `like`.

    Evenly chosen where either has no labels.
    """
    count = min(count or len(some), len(some))
    if some.labels is None or like.labels is None:
        return some.chosen(np.linspace(0, len(some) - 1, count).astype(int).tolist())
    return some.chosen(same_labels(some.labels, np.resize(like.labels, count)))


def same_labels(labels: NDArray[np.int64], wanted: NDArray[np.int64]) -> list[int]:
    """Positions of different items with these labels, in that order; fewer where a label has not enough."""
    queues = {int(k): iter(np.flatnonzero(labels == k)) for k in np.unique(labels)}
    found = (next(queues.get(int(k), iter(())), None) for k in wanted)
    return [int(i) for i in found if i is not None]


def nearest_distances(some: Labelled, real: Labelled) -> dict[str, float]:
    """Each of `event_tools.distances` to the nearest of MATES real recordings of the same class, or of all."""
    chosen = np.linspace(0, len(some) - 1, min(len(some), NEAREST)).astype(int)
    found: dict[str, list[float]] = {name: [] for name in MEASURES}
    for i in chosen:
        mates = np.arange(len(real))
        if some.labels is not None and real.labels is not None:
            mates = np.flatnonzero(real.labels == some.labels[i])
        if not len(mates):
            continue
        mates = mates[np.linspace(0, len(mates) - 1, min(len(mates), MATES)).astype(int)]
        events = some.recordings[i]
        mate = min((real.recordings[int(k)] for k in mates), key=lambda other: van_rossum(events, other))
        for name, measure in MEASURES.items():
            found[name].append(measure(events, mate))
    return {name: float(np.nanmean(values)) if not np.isnan(values).all() else np.nan for name, values in found.items()}


def central_window(sensor_size: tuple[int, int], resolution: int) -> Window:
    """The square in the middle of a sensor that frames of a cropping model show."""
    width, height = sensor_size
    return (width - resolution) // 2, (height - resolution) // 2, resolution, resolution


def check_one_sensor(recordings: Sequence[Events]) -> None:
    """Raises MetricError where recordings come from sensors of different size."""
    sizes = sorted({events.sensor_size for events in recordings})
    if len(sizes) > 1:
        shown = " and ".join(f"{width}x{height}" for width, height in sizes)
        raise MetricError(f"expected recordings of one sensor, got {shown}; convert or crop them first")


def beside_floor(name: str, value: float, floor: float) -> Figures:
    """A figure, its floor and their ratio, as far as they are defined."""
    ratio = value / floor if floor > 0 else np.nan
    return defined({name: value, f"{name}_floor": floor, f"{name}_ratio": ratio})


def defined(figures: Mapping[str, float]) -> Figures:
    """The figures that are finite."""
    return {name: float(value) for name, value in figures.items() if np.isfinite(value)}
